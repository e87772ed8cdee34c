"""Class names as people have them: text with a line for each, or JSON, or what a checkpoint holds."""
import json
import os
import re

from .errors import ImportFailure

_WORDNET = re.compile(r"n\d{8}(?![^\s,:;])")
# A line of a text file that begins with its class's index, or with a WordNet ID.
_INDEXED = re.compile(r"\s*(\d{1,7})(?:\s*[:,;=\t]\s*|\s+)(?=\S)")
_QUOTED = re.compile(r"""(["'])(.*)\1\s*,?""")
# Under which names an object of JSON, or a checkpoint, has its labels.
KEYS = ("id2label", "label2id", "class_to_idx", "idx_to_class", "class_names", "label_names",
        "classes", "CLASSES", "labels", "names", "categories")


def _failure(message):
    return ImportFailure(message, about_source=False)


def read(path, counts):
    """counts: how many there may be, the usual number first."""
    with open(path, "rb") as file:
        data = file.read()
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise _failure(f"{path}: not UTF-8 text") from None
    try:
        if os.path.splitext(path)[1].lower() == ".json" or _is_json(text):
            labels = of_value(_json(text))
        else:
            labels = _of_text(text)
    except ValueError as error:
        raise _failure(f"{path}: {error}") from None
    classes = counts[0]
    if len(labels) not in counts:
        hint = ""
        if len(labels) == classes + 1:
            hint = f" (the first is '{labels[0]}': remove it if it is a background class)"
            if classes == 1:
                hint = " (--probabilities sigmoid, if its one output tells these apart)"
        labelled, classed = (f"{number} {noun}{'' if number == 1 else ending}" for number, noun, ending in
                             ((len(labels), "label", "s"), (classes, "class", "es")))
        raise _failure(f"{path}: {labelled} for {classed}{hint}")
    for index, label in enumerate(labels):
        if not label or not label.isprintable():
            raise _failure(f"{path}: label {index} is empty or has control characters")
    return labels


def _is_json(text):
    """A text of a Python dictionary, {0: 'cat', ...}, begins like JSON, too."""
    begin = text.lstrip()[:1]
    return begin == "[" or begin == "{" and not re.match(r"\{\s*\d", text.lstrip())


def _json(text):
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"not JSON: {error}") from None


# ---- Text ----

def _of_text(text):
    lines = text.strip("\n\r {}").split("\n") if text.lstrip()[:1] == "{" else \
        text.rstrip().split("\n")
    lines = [line.strip() for line in lines]
    indices = [_INDEXED.match(line) for line in lines]
    if not indices[0] and len(lines) > 2 and all(indices[1:]):  # the head of a table
        lines, indices = lines[1:], indices[1:]
    if all(indices):
        found = sorted(int(match[1]) for match in indices)
        if found in (list(range(len(lines))), list(range(1, len(lines) + 1))):
            first = found[0]
            labels = [None] * len(lines)
            for line, match in zip(lines, indices):
                labels[int(match[1]) - first] = _unquoted(line[match.end():])
            lines = labels
        elif len(set(found)) == len(found) and found[0] in (0, 1) and found[-1] < 2 * len(found):
            missing = next(i for i, index in enumerate(found) if index != i + found[0]) + found[0]
            raise ValueError(f"there is no label {missing}, but one {found[-1]}")
    return _without_ids(lines)


def _unquoted(text):
    text = text.strip()
    match = _QUOTED.fullmatch(text)
    return match[2] if match else text


def _without_ids(labels):
    """WordNet IDs before names are left out; alone they are the names."""
    if labels and all(_WORDNET.match(label) for label in labels):
        names = [label[9:].lstrip(" \t,:;") for label in labels]
        if all(names):
            return names
    return labels


# ---- JSON ----

def of_value(value):
    """Labels of a decoded JSON value; ValueError with what is wrong with it.

        [label, ...], {"0": label, ...}, {label: 0, ...}, {"n01440764": label, ...}, or an object
        with one of these under a name of KEYS; a label is a text, the last text of a list
        (["n01440764", "tench"]), or an object's "name" or "label" """
    if isinstance(value, dict):
        value = _of_object(value)
    if not isinstance(value, list):
        raise ValueError("neither a list nor an object of labels")
    if value and all(isinstance(item, dict) for item in value):
        if all(type(item.get("id")) is int for item in value):
            value = sorted(value, key=lambda item: item["id"])
        value = [item.get("name", item.get("label")) for item in value]
    labels = [item[-1] if isinstance(item, (list, tuple)) and item else item for item in value]
    if not all(isinstance(label, str) for label in labels):
        raise ValueError("a label is not a string")
    return _without_ids([label.strip() for label in labels])


def _of_object(value):
    for key in KEYS:
        if isinstance(value.get(key), (dict, list)):
            return _of_object(value[key]) if isinstance(value[key], dict) else value[key]
    if value and all(_index(item) is not None for item in value.values()):
        value = {str(_index(index)): name for name, index in value.items()}
    elif value and all(isinstance(key, str) and _WORDNET.fullmatch(key) for key in value):
        return [value[key] for key in sorted(value)]
    value = {str(key): item for key, item in value.items()}
    first = 0 if "0" in value else 1 if str(len(value)) in value else 0
    try:
        return [value[str(index)] for index in range(first, first + len(value))]
    except KeyError as missing:
        raise ValueError(f"there is no label {missing}") from None


def _index(value):
    if type(value) is int and value >= 0:
        return value
    return int(value) if isinstance(value, str) and re.fullmatch(r"\d{1,7}", value) else None


def beside_weights(more, classes):
    """Labels of a checkpoint that holds more than weights: (the key, labels) or None."""
    for key in KEYS:
        try:
            labels = of_value({key: more[key]}) if key in more else []
        except (ValueError, TypeError):
            continue
        if labels and len(labels) == classes and all(label and label.isprintable() for label in labels):
            return key, labels
    return None
