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
    def once(pairs):
        if len(dict(pairs)) < len(pairs):
            raise ValueError("a key is there twice")
        return dict(pairs)
    try:
        return json.loads(text, object_pairs_hook=once)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"not JSON: {error}") from None


# ---- Text ----

def _of_text(text):
    lines = text.strip("\n\r {}").split("\n") if text.lstrip()[:1] == "{" else \
        text.rstrip().split("\n")
    lines = [line.strip() for line in lines]
    if not _INDEXED.match(lines[0]) and _indices(lines[1:]):
        del lines[0]  # the head of a table
    numbered = _by_index(lines)
    labels = _without_ids(numbered or lines)
    # ILSVRC has "n02119789 1 kit_fox".
    return labels if numbered else _by_index(labels) or labels


def _by_index(lines):
    """The labels without the indices before them, by which they are put in order; None where lines
    have none."""
    indices = _indices(lines)
    return indices and _arranged(indices, [_unquoted(line[_INDEXED.match(line).end():])
                                           for line in lines])


def _indices(lines):
    """Numbers that do not begin with 0 or 1, or go far beyond the lines, are parts of the labels."""
    matches = [_INDEXED.match(line) for line in lines]
    if len(lines) < 2 or not all(matches):
        return None
    indices = [int(match[1]) for match in matches]
    return indices if min(indices) <= 1 and max(indices) < 2 * len(lines) else None


def _arranged(indices, labels):
    """The labels in the order of their indices, from 0 or from 1."""
    first = min(indices, default=0)
    result = [None] * len(labels)
    for index, label in zip(indices, labels):
        if first > 1 or index - first >= len(labels):
            raise ValueError(f"'{label}' has the index {index}, but there are {len(labels)} labels "
                             "(where a number is part of a label, write a JSON array)")
        if result[index - first] is not None:
            raise ValueError(f"'{result[index - first]}' and '{label}' have both the index {index}")
        result[index - first] = label
    return result


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
        with one of these under a name of KEYS; a label is a text, a list of texts (the first; the
        last behind a WordNet ID: ["n01440764", "tench"]), or an object's "name" or "label", which
        may have an "id" """
    if isinstance(value, dict):
        value = _of_object(value)
    if not isinstance(value, list):
        raise ValueError("neither a list nor an object of labels")
    if value and all(isinstance(item, dict) for item in value):
        names = [item.get("name", item.get("label")) for item in value]
        ids = [item.get("id") for item in value]
        value = _arranged(ids, names) if all(type(i) is int and i >= 0 for i in ids) else names
    labels = [_of_list(item) if isinstance(item, (list, tuple)) and item else item for item in value]
    if not all(isinstance(label, str) for label in labels):
        raise ValueError("a label is not a string")
    return _without_ids([label.strip() for label in labels])


def _of_list(item):
    return item[-1] if isinstance(item[0], str) and _WORDNET.fullmatch(item[0]) else item[0]


def _of_object(value):
    for key in KEYS:
        if isinstance(value.get(key), (dict, list)):
            return _of_object(value[key]) if isinstance(value[key], dict) else value[key]
    if not value:
        return []
    numbers = all(type(item) is int and item >= 0 for item in value.values())
    if not numbers and all(_index(key) is not None for key in value):
        return _arranged([_index(key) for key in value], list(value.values()))
    if all(_index(item) is not None for item in value.values()):
        return _arranged([_index(item) for item in value.values()], list(map(str, value)))
    if all(isinstance(key, str) and _WORDNET.fullmatch(key) for key in value):
        return [value[key] for key in sorted(value)]
    raise ValueError("neither a JSON array of labels nor an object {index: label}, {label: index} or "
                     "{WordNet ID: label}")


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
