#!/usr/bin/python3
"""`mobilenet evaluate` against the same loop over `mobilenet classify`, and what it says.

usage: evaluate.py MOBILENET [unittest's arguments]"""

import collections
import csv
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
        for name in "data/0/.hidden.bmp", "data/0/notes.txt":
            with open(name, "wb") as file:
                file.write(b"not looked at")
        result, errors = self.evaluate("data", status=1)
        self.assertEqual((result["images"], result["failed"]), (20, 1))
        self.assertEqual((result["top1"], result["topk"]), (expected["top1"], expected["topk"]))
        self.assertIn("mobilenet: data/0/zz.png: not a JPEG, PNG or BMP image\n", errors)

    def test_what_is_left_out_is_counted_and_named(self):
        self.make_folders(20)
        whole, _ = self.evaluate("data", "--threads", "1")
        self.assertEqual(whole["left_out"], [])
        os.makedirs("data/1/more/and more")
        kinds = [f"data/0/{i}.webp" for i in range(7)] + ["data/2/notes.txt"]
        for name in *kinds, "data/3/IMG_1", "data/README.md", "data/0/.DS_Store", "data/.hidden":
            with open(name, "wb") as file:
                file.write(b"not looked at")
        result, errors = self.evaluate("data", "--threads", "1")
        expected = {
            **dict.fromkeys(kinds, "file that is not named as a JPEG, PNG or BMP image"),
            "data/1/more": "folder inside of a class's folder",
            "data/3/IMG_1": "file without an extension",
            "data/README.md": "file beside the folders",
        }
        left_out = {left["what"]: left["reason"] for left in result.pop("left_out")}
        self.assertEqual(left_out, expected)
        for line in (
            "left out 8 files that are not named as JPEG, PNG or BMP images: "
            f"{', '.join(kinds[:5])} and 3 more",
            "left out 1 file without an extension: data/3/IMG_1",
            "left out 1 folder inside of a class's folder: data/1/more",
            "left out 1 file beside the folders: data/README.md",
        ):
            self.assertIn(f"mobilenet: {line}\n", errors)
        del whole["left_out"]
        self.assertEqual({**result, "seconds": 0}, {**whole, "seconds": 0})
        output, _ = self.run_command("evaluate", "m.safetensors", "data")
        self.assertRegex(output, r"(?m)^11 left out$")

    def test_extensions(self):
        os.mkdir("data/0")
        for ending in "jpg", "JPEG", "jpe", "jfif", "PNG", "bmp":
            write_bmp(f"data/0/a.{ending}", make_image(numpy.random.default_rng(1), 0))
        result, _ = self.evaluate("data")  # what it is, its bytes say
        self.assertEqual((result["images"], result["left_out"]), (6, []))

    def test_a_folder_without_a_class_does_not_lose_the_others(self):
        self.make_folders(20)
        whole, _ = self.evaluate("data", "--threads", "1")
        os.rename("data/3", "data/dog")
        images = len(os.listdir("data/dog"))
        result, errors = self.evaluate("data", "--threads", "1", status=1)
        self.assertEqual(result["images"], whole["images"] - images)
        self.assertEqual([left["what"] for left in result["left_out"]], ["data/dog"])
        self.assertIn("mobilenet: data/dog: no class 'dog': the model has no labels, and indices are "
                      "0 to 6; --labels takes a file of labels, --alphabetical folders", errors)

    def test_a_line_without_a_class_does_not_lose_the_others(self):
        write_bmp("data/a.bmp", make_image(numpy.random.default_rng(1), 0))
        with open("list.txt", "w") as file:
            file.write("a.bmp 1\n\nb.bmp\na.bmp 2\na.bmp 9\nnone.bmp 2\n")
        result, errors = self.evaluate("data", "--list", "list.txt", status=1)
        self.assertEqual((result["images"], result["failed"]), (2, 1))
        self.assertIn("list.txt, line 3: expected a file and a class in 'b.bmp'\n", errors)
        self.assertIn("list.txt, line 5: no class '9': ", errors)
        self.assertIn("mobilenet: data/none.bmp: No such file or directory\n", errors)

    def test_folders_in_alphabetical_order(self):
        """As torchvision's ImageFolder: sorted() of the names, hidden ones aside."""
        paths = self.make_folders(40)
        expected, _ = self.evaluate("data", "--threads", "1")
        names = sorted(["zebra", "Zoe", "a b", "ant", "éclair", "10", "9"])
        for kind, name in enumerate(names):
            os.rename(f"data/{kind}", f"data/_{kind}")
        for kind, name in enumerate(names):
            os.rename(f"data/_{kind}", f"data/{name}")
        os.mkdir("data/.hidden")
        result, _ = self.evaluate("data", "--alphabetical", "--threads", "1")
        self.assertEqual({**result, "seconds": 0}, {**expected, "seconds": 0})
        self.assertEqual(sum(map(len, paths.values())), result["images"])
        os.mkdir("data/new")
        self.fail_with(
            1, "data: --alphabetical: 8 folders, but the model has 7 classes",
            "evaluate", "m.safetensors", "data", "--alphabetical",
        )

    def test_folders_named_by_wordnet_id(self):
        paths = self.make_folders(40)
        expected, _ = self.evaluate("data", "--threads", "1")
        ids = [f"n0{i}440764" for i in (3, 1, 4, 0, 5, 9, 2)]
        for kind, name in enumerate(ids):
            os.rename(f"data/{kind}", f"data/{name}")
        with open("classes.json", "w") as file:
            json.dump({str(i): [ids[i], f"name {i}"] for i in range(CLASSES)}, file)
        result, _ = self.evaluate("data", "--labels", "classes.json", "--threads", "1")
        self.assertEqual(
            {c["index"]: c["label"] for c in result["worst_classes"]},
            {c["index"]: f"name {c['index']}" for c in expected["worst_classes"]},
        )
        for key in "images", "top1", "topk":
            self.assertEqual(result[key], expected[key])
        self.fail_with(
            1, f"data/{min(ids)}: no class '{min(ids)}': the model has no labels, and indices are 0 to "
            "6; --labels takes a file that has the WordNet IDs", "evaluate", "m.safetensors", "data",
        )
        # A model whose labels are the IDs needs no file.
        relabel("m.safetensors", {"labels": json.dumps(ids)})
        result, _ = self.evaluate("data", "--threads", "1")
        for key in "images", "top1", "topk":
            self.assertEqual(result[key], expected[key])
        self.assertEqual(len(paths), CLASSES)

    def test_csv_has_every_photo(self):
        paths = self.make_folders(20)
        os.rename("data/1", "data/golden retriever")
        os.rename("data/2", "data/a, \"b\"")
        labels = ["ant", "golden retriever", 'a, "b"', "dodo", "emu", *LABELS[5:]]
        relabel("m.safetensors", {"labels": json.dumps(labels)})
        with open("data/0/zz, z.png", "wb") as file:
            file.write(b"not an image")
        self.evaluate("data", "--csv", "photos.csv", "--top", "3", status=1)
        with open("photos.csv", newline="") as file:
            rows = list(csv.DictReader(file))
        names = {0: "0", 1: "golden retriever", 2: 'a, "b"'}
        truth = {f"data/{names.get(kind, kind)}/{os.path.basename(path)}": kind
                 for kind in paths for path in paths[kind]}
        answers = {
            answer["file"]: answer["classes"]
            for answer in json.loads(
                self.succeed("classify", "m.safetensors", *truth, "--top", "3", "--json")
            )
        }
        self.assertEqual([row["file"] for row in rows], sorted([*truth, "data/0/zz, z.png"]))
        for row in rows:
            if row["file"] not in truth:
                self.assertEqual(
                    list(row.values())[1:],
                    ["0", "ant", "", "", "", "", "not a JPEG, PNG or BMP image"],
                )
                continue
            kind, found = truth[row["file"]], answers[row["file"]]
            order = [c["index"] for c in found]
            self.assertEqual((row["class"], row["label"]), (str(kind), labels[kind]))
            self.assertEqual(row["predicted"], str(order[0]))
            self.assertEqual(row["predicted_label"], labels[order[0]])
            self.assertAlmostEqual(float(row["probability"]), found[0]["probability"], places=7)
            rank = str(order.index(kind) + 1) if kind in order else ""
            self.assertEqual((row["rank"], row["error"]), (rank, ""))
        output, errors = self.run_command(
            "evaluate", "m.safetensors", "data", "--csv", "no/photos.csv", status=1
        )
        self.assertIn("mobilenet: no/photos.csv: No such file or directory\n", errors)
        self.assertIn("top-1", output)  # what was found out is not lost

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
            ("\nb.bmp\n", "list.txt, line 2: expected a file and a class in 'b.bmp'"),
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
            ("--alphabetical is for folders", "a", "b", "--alphabetical", "--list", "c"),
            ("--top: '0' is not", "a", "b", "--top", "0"),
            ("--worst: '-1' is not", "a", "b", "--worst=-1"),
            ("--threads: '0' is not", "a", "b", "--threads", "0"),
        ]:
            self.fail_with(2, message, "evaluate", *arguments)


if __name__ == "__main__":
    main()
