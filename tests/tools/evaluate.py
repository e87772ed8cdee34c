#!/usr/bin/python3
"""`mobilenet evaluate` against the same loop over `mobilenet classify`, and what it says.

usage: evaluate.py MOBILENET [unittest's arguments]"""

import collections
import json
import os
import unittest

import numpy

from case import Case, main
from models import relabel, write_bmp

LABELS = ["ant", "golden retriever", "cat", "dodo", "3", "fox", "cat"]  # the label comes first
CLASSES = len(LABELS)
IMAGES = 300


def make_image(generator, kind):
    """Stripes, with noise: what a network of random weights tells apart, a little."""
    height, width = generator.integers(30, 60, 2)
    rows, columns = numpy.mgrid[0:height, 0:width]
    wave = numpy.sin((rows * (kind % 3) + columns * (kind // 3)) / 3.0 + kind)[..., None]
    colour = generator.uniform(60, 200, 3)
    noise = generator.normal(0, 20, (height, width, 3))
    return numpy.clip(colour + 50 * wave + noise, 0, 255).astype("u1")


class Evaluate(Case):
    def setUp(self):
        super().setUp()
        self.init("mobilenet_v3_small")
        os.mkdir("data")

    def label(self):
        relabel("m.safetensors", {"labels": json.dumps(LABELS)})

    def make_folders(self, count):
        """{class: [path]}; class i in a folder named i."""
        generator = numpy.random.default_rng(5)
        paths = collections.defaultdict(list)
        for i in range(count):
            kind = int(generator.integers(0, CLASSES)) if i >= CLASSES else i
            folder = f"data/{kind}"
            os.makedirs(folder, exist_ok=True)
            paths[kind].append(f"{folder}/{i:03}.{'bmp' if i % 2 else 'BMP'}")
            write_bmp(paths[kind][-1], make_image(generator, kind))
        return paths

    def evaluate(self, *arguments, status=0):
        output, errors = self.run_command(
            "evaluate", "m.safetensors", *arguments, "--json", status=status
        )
        return json.loads(output), errors

    def same_loop(self, paths, top):
        """What evaluate should print, computed here from classify's answers."""
        truth = {path: kind for kind in paths for path in paths[kind]}
        answers = json.loads(
            self.succeed("classify", "m.safetensors", *truth, "--top", str(top), "--json")
        )
        first = within = 0
        correct = collections.Counter()
        wrong = collections.defaultdict(collections.Counter)
        for answer in answers:
            order = [c["index"] for c in answer["classes"]]
            kind = truth[answer["file"]]
            within += kind in order
            if order[0] == kind:
                first += 1
                correct[kind] += 1
            else:
                wrong[kind][order[0]] += 1
        worst = sorted(wrong, key=lambda k: (correct[k] / len(paths[k]), -len(paths[k]), k))
        return {
            "images": len(truth),
            "failed": 0,
            "top1": first,
            "k": top,
            "topk": within,
            "worst_classes": [
                {
                    "index": kind,
                    "images": len(paths[kind]),
                    "correct": correct[kind],
                    "taken_for": sorted(wrong[kind].items(), key=lambda c: (-c[1], c[0]))[:3],
                }
                for kind in worst
            ],
        }

    def test_the_same_as_a_loop_over_classify(self):
        paths = self.make_folders(IMAGES)
        for top in 1, 3, 5:
            expected = self.same_loop(paths, top)
            result, _ = self.evaluate("data", "--top", str(top))
            self.assertGreater(expected["topk"], 0)
            self.assertLess(expected["top1"], IMAGES)
            for c in result["worst_classes"]:
                self.assertIsNone(c.pop("label"))
                c["taken_for"] = [(o["index"], o["images"]) for o in c["taken_for"]]
            for key, value in expected.items():
                self.assertEqual(result[key], value, key)
            self.assertEqual(result["top1_accuracy"], round(result["top1"] / IMAGES, 9))
            self.assertAlmostEqual(result["topk_accuracy"], result["topk"] / IMAGES, places=8)

    def test_threads_do_not_show(self):
        self.make_folders(40)
        results = []
        for threads in "1", "2", "5", "64":
            result, _ = self.evaluate("data", "--threads", threads)
            self.assertEqual(result.pop("threads"), min(int(threads), 40))
            self.assertGreater(result.pop("seconds"), 0)
            results.append(result)
        for result in results[1:]:
            self.assertEqual(result, results[0])

    def test_progress(self):
        self.make_folders(40)
        _, errors = self.evaluate("data")
        lines = errors.splitlines()
        self.assertEqual(lines[-1], "40 of 40 images, 100 %")
        self.assertLessEqual(len(lines), 10)
        self.assertGreaterEqual(len(lines), 1)

    def test_a_list_is_the_same_as_folders(self):
        paths = self.make_folders(40)
        expected, _ = self.evaluate("data", "--threads", "1")
        lines = [f"{p[5:]} {kind}" for kind in paths for p in paths[kind]]
        absolute = f"{os.path.abspath('data')}/{lines[0]}"
        for text in "\n".join(lines), "\r\n".join(lines) + "\r\n\r\n", "\n".join([absolute, *lines[1:]]):
            with open("list.txt", "w", newline="") as file:
                file.write(text)
            result, _ = self.evaluate("data", "--list", "list.txt", "--threads", "1")
            self.assertEqual({**result, "seconds": 0}, {**expected, "seconds": 0})

    def test_classes_by_label_and_by_index(self):
        self.label()
        generator = numpy.random.default_rng(6)
        for folder in "ant", "golden retriever", "3", "5", "6":
            os.mkdir(f"data/{folder}")
            write_bmp(f"data/{folder}/a.bmp", make_image(generator, 0))
        result, _ = self.evaluate("data", "--top", "7")
        self.assertEqual(result["topk"], 5)
        labels = {c["index"]: c["label"] for c in result["worst_classes"]}
        self.assertLessEqual(set(labels), {0, 1, 4, 5, 6})
        self.assertGreaterEqual(len(labels), 4)
        for index, label in labels.items():
            self.assertEqual(label, LABELS[index])
        os.mkdir("data/a b")
        os.rename("data/ant/a.bmp", "data/a b/a c.bmp")
        with open("list.txt", "w") as file:
            file.write("a b/a c.bmp\tgolden retriever\n3/a.bmp golden retriever\n")
        result, _ = self.evaluate("data", "--list", "list.txt")
        self.assertEqual(result["images"], 2)
        self.assertEqual([c["index"] for c in result["worst_classes"]][:1], [1])

    def test_text(self):
        self.label()
        os.mkdir("data/ant")
        generator = numpy.random.default_rng(7)
        for i in range(3):
            write_bmp(f"data/ant/{i}.bmp", make_image(generator, i))
        output, _ = self.run_command("evaluate", "m.safetensors", "data", "--threads", "2")
        result, _ = self.evaluate("data")
        first = f"{result['top1'] / 3 * 100:.2f}"
        self.assertRegex(
            output,
            rf"^3 images in \d+\.\d s, \d+\.\d images/s on 2 threads\n"
            rf"top-1  {first} %  \({result['top1']}\)\ntop-5  \d+\.\d\d %  \([0-3]\)\n",
        )
        if result["top1"] < 3:
            self.assertRegex(output, r"worst classes:\n  [0-2] of 3  ant \(0\), taken for [a-z3 ]+ ")
        output, _ = self.run_command("evaluate", "m.safetensors", "data", "--worst", "0")
        self.assertNotIn("worst", output)

    def test_files_that_are_no_images(self):
        paths = self.make_folders(20)
        expected = self.same_loop(paths, 5)
        with open("data/0/zz.png", "wb") as file:
            file.write(b"not an image")
        for name in "data/README", "data/0/.hidden.bmp", "data/0/notes.txt":
            with open(name, "wb") as file:
                file.write(b"not looked at")
        result, errors = self.evaluate("data", status=1)
        self.assertEqual((result["images"], result["failed"]), (20, 1))
        self.assertEqual((result["top1"], result["topk"]), (expected["top1"], expected["topk"]))
        self.assertIn("mobilenet: data/0/zz.png: not a JPEG, PNG or BMP image\n", errors)

    def test_errors_name_the_thing(self):
        self.label()
        self.fail_with(1, "data: no JPEG, PNG or BMP images", "evaluate", "m.safetensors", "data")
        self.fail_with(1, "nowhere: No such file", "evaluate", "m.safetensors", "nowhere")
        self.fail_with(1, "none: No such file", "evaluate", "none", "data")
        for folder, message in [
            ("dog", "data/dog: no class 'dog': labels are such as 'ant', and indices 0 to 6"),
            ("7", "data/7: no class '7'"),
            ("-1", "data/-1: no class '-1'"),
            ("cat", "'cat' is the label of classes 2 and 6: say which by its index"),
        ]:
            os.mkdir(f"data/{folder}")
            self.fail_with(1, message, "evaluate", "m.safetensors", "data")
            os.rmdir(f"data/{folder}")
        for text, message in [
            ("a.bmp 1\nb.bmp\n", "list.txt, line 2: expected a file and a class in 'b.bmp'"),
            ("\na.bmp dog\n", "list.txt, line 2: no class 'dog'"),
            ("\n", "list.txt: no images in it"),
        ]:
            with open("list.txt", "w") as file:
                file.write(text)
            self.fail_with(
                1, message, "evaluate", "m.safetensors", "data", "--list", "list.txt"
            )
        for message, *arguments in [
            ("missing argument: MODEL and DIR", "m.safetensors"),
            ("too many arguments: 'c'", "a", "b", "c"),
            ("--top: '0' is not", "a", "b", "--top", "0"),
            ("--worst: '-1' is not", "a", "b", "--worst=-1"),
            ("--threads: '0' is not", "a", "b", "--threads", "0"),
        ]:
            self.fail_with(2, message, "evaluate", *arguments)


if __name__ == "__main__":
    main()
