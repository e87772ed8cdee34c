#!/usr/bin/python3
"""`--labels`: names of classes from files as people have them.

usage: labels.py MOBILENET [unittest's arguments]"""

import json
import unittest

import numpy

from case import Case, main
from models import write_bmp

NAMES = ["tench, Tinca tinca", "7 up", "jack-o'-lantern", 'a "b"', "crane", "crane", "x"]
IDS = [f"n0144{i}764" for i in (0, 2, 1, 3, 4, 6, 5)]


class Labels(Case):
    def setUp(self):
        super().setUp()
        self.init("mobilenet_v1")
        write_bmp("a.bmp", numpy.full((40, 40, 3), 99, "u1"))

    def read(self, text):
        """The labels that classify shows, in the order of the classes."""
        with open("labels", "w", newline="", encoding="utf-8") as file:
            file.write(text)
        output = self.succeed(
            "classify", "m.safetensors", "a.bmp", "--labels", "labels", "--top", "7", "--json"
        )
        classes = json.loads(output)[0]["classes"]
        return [c["label"] for c in sorted(classes, key=lambda c: c["index"])]

    def test_text(self):
        for text in (
            "\n".join(NAMES),
            "\ufeff" + "\r\n".join(NAMES) + "\r\n\r\n",
            "\n".join(f"  {name}\t" for name in NAMES) + "\n",
        ):
            self.assertEqual(self.read(text), NAMES)

    def test_numbered_lines(self):
        for border in " ", ": ", ":", "\t", ",", " , ", "; ":
            for first in 0, 1:
                lines = [f"{i + first}{border}{name}" for i, name in enumerate(NAMES)]
                self.assertEqual(self.read("\n".join(lines)), NAMES)
                self.assertEqual(self.read("\n".join(reversed(lines))), NAMES)

    def test_tables(self):
        quoted = [name.replace('"', "'") for name in NAMES]
        for head in "", "index,label\n":
            lines = [f'{i},"{name}"' for i, name in enumerate(quoted)]
            self.assertEqual(self.read(head + "\n".join(lines)), quoted)
            self.assertEqual(self.read(head + "\n".join(lines).replace(",", "=", 1)), quoted)

    def test_numbers_that_are_parts_of_labels(self):
        for coins in (["10 cent", "20 cent", "50 cent", "1 euro", "2 euro", "5 euro", "20 euro"],
                      ["cat", "7 up", "8 ball", "9 pin", "7 seas", "8 bit", "9 men"]):  # fmt: skip
            self.assertEqual(self.read("\n".join(coins)), coins)

    def test_wordnet_ids(self):
        for border in " ", "\t", ",":
            self.assertEqual(self.read("\n".join(map(border.join, zip(IDS, NAMES)))), NAMES)
        self.assertEqual(self.read("\n".join(IDS)), IDS)
        lines = [f"{i} {id} {name}" for i, (id, name) in enumerate(zip(IDS, NAMES))]
        self.assertEqual(self.read("\n".join(lines[::-1])), NAMES)
        plain = [name.replace("7 up", "seven up") for name in NAMES]
        lines = [f"{id} {i + 1} {name}" for i, (id, name) in enumerate(zip(IDS, plain))]
        self.assertEqual(self.read("\n".join(lines[::-1])), plain)  # ILSVRC's map_clsloc.txt

    def test_a_dictionary_as_python_prints_it(self):
        shown = dict(enumerate(NAMES))
        self.assertEqual(self.read(str(shown).replace(", ", ",\n ").replace(",\n T", ", T")), NAMES)
        lines = "".join(f" {i}: {name!r},\n" for i, name in shown.items())
        self.assertEqual(self.read("{\n" + lines + "}\n"), NAMES)

    def test_json(self):
        by_index = {str(i): name for i, name in enumerate(NAMES)}
        unique = [f"{i}{name}" for i, name in enumerate(NAMES)]
        to_index = {name: i for i, name in enumerate(unique)}
        pairs = list(zip(IDS, NAMES))
        for value, expected in (
            (NAMES, NAMES),
            (pairs, NAMES),
            (by_index, NAMES),
            ({str(i + 1): name for i, name in enumerate(NAMES)}, NAMES),
            (dict(reversed(by_index.items())), NAMES),
            ({str(i): pair for i, pair in enumerate(pairs)}, NAMES),
            ({str(i): [name] for i, name in enumerate(NAMES)}, NAMES),
            (to_index, unique),
            (dict(reversed(to_index.items())), unique),
            ({id: i for i, id in enumerate(IDS)}, IDS),
            (dict(pairs), [name for _, name in sorted(pairs)]),
            ({id: [name] for id, name in pairs}, [name for _, name in sorted(pairs)]),
            ({"model_type": "x", "id2label": by_index, "label2id": {}}, NAMES),
            ({"class_to_idx": to_index, "accuracy": 1}, unique),
            ({"label_names": NAMES, "label_descriptions": {}}, NAMES),
            ({name: str(i) for name, i in to_index.items()}, unique),
            ({"0": "1", "1": "2", "2": "3", "3": "4", "4": "5", "5": "6", "6": "0"}, list("1234560")),
            ([{"name": name} for name in NAMES], NAMES),
            ([{"id": i, "label": name} for i, name in reversed(list(enumerate(NAMES)))], NAMES),
        ):
            for indent in None, 2:
                text = json.dumps(value, indent=indent, ensure_ascii=indent is None)
                self.assertEqual(self.read(text), expected, text)

    def test_labels_of_the_file_are_not_those_of_the_model(self):
        output = self.succeed("classify", "m.safetensors", "a.bmp", "--top", "1")
        self.assertRegex(output, r"\d  class \d\n")

    def test_errors_name_the_thing(self):
        six = NAMES[:6]
        for text, message in (
            ("\n".join(six), "labels: 6 labels for 7 classes"),
            ("\n".join(["background", *NAMES]), "the first is 'background': remove it if it is a "),
            ("\n".join([*six, "", "x"]), "labels: line 7 is empty"),
            ("\n".join(f"{i} x" for i in (0, 1, 2, 3, 4, 5, 7)), "'x' has the index 7, but there are 7"),
            ("\n".join(f"{i} x{i}" for i in (0, 1, 2, 3, 4, 5)) + "\n5 y", "'x5' and 'y' have both the index 5"),
            ("[1, 2, 3, 4, 5, 6, 7]", "the label of class 0 is not a text"),
            ('{"a": "b"}', "neither a JSON array of labels nor an object"),
            ("[", "labels: not JSON: line 1: "),
            ("{0: cat}", "line 1 is neither JSON nor"),
            ("", "labels: line 1 is empty"),
            ("{", "labels: 0 labels for 7 classes"),
            (json.dumps([*six, " "]), "label 6 is empty"),
            ("0: 'cat',\n1: '',\n2: 'dog'", "label 1 is empty"),
            ("0: 'cat',\n1: ' ',\n2: 'dog'", "label 1 is empty"),
            (json.dumps([*six, "a\0b"]), "not JSON"),
        ):
            with open("labels", "w") as file:
                file.write(text)
            for command in ("classify", "m.safetensors", "a.bmp"), ("evaluate", "m.safetensors", "."):
                self.fail_with(1, message, *command, "--labels", "labels")
        self.fail_with(
            1, "none: No such file", "classify", "m.safetensors", "a.bmp", "--labels", "none"
        )


if __name__ == "__main__":
    main()
