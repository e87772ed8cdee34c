"""Class names: a text file with one per line, or JSON."""
import json
import os

from .errors import ImportFailure


def _failure(message):
    return ImportFailure(message, about_source=False)


def read(path, classes):
    with open(path, "rb") as file:
        data = file.read()
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise _failure(f"{path}: not UTF-8 text") from None
    if text.lstrip()[:1] in ("[", "{") or os.path.splitext(path)[1] == ".json":
        labels = _from_json(path, text)
    else:
        labels = [line.strip() for line in text.rstrip().split("\n")]
    if len(labels) != classes:
        hint = ""
        if len(labels) == classes + 1:
            hint = f" (the first is '{labels[0]}': remove it if it is a background class)"
        raise _failure(f"{path}: {len(labels)} labels for {classes} classes{hint}")
    for index, label in enumerate(labels):
        if not label or not label.isprintable():
            raise _failure(f"{path}: label {index} is empty or has control characters")
    return labels


def _from_json(path, text):
    """["name", ...], {"0": "name", ...} or {"0": ["n01440764", "name"], ...}."""
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise _failure(f"{path}: not JSON: {error}") from None
    if isinstance(value, dict):
        try:
            value = [value[str(index)] for index in range(len(value))]
        except KeyError as missing:
            raise _failure(f"{path}: there is no label {missing}") from None
    if not isinstance(value, list):
        raise _failure(f"{path}: neither a list nor an object of labels")
    labels = [item[-1] if isinstance(item, list) and item else item for item in value]
    if not all(isinstance(label, str) for label in labels):
        raise _failure(f"{path}: a label is not a string")
    return [label.strip() for label in labels]
