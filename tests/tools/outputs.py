#!/usr/bin/python3
"""`mobilenet classify` and `evaluate` of models whose outputs are sigmoids, or no probabilities.

usage: outputs.py MOBILENET [unittest's arguments]"""

import csv
import json
import math
import os

import numpy

from case import Case, main
from models import relabel, write_bmp

LABELS = ["ant", "cat, tabby", "dog", "elk", "3", "fox", "gnu"]
CLASSES = len(LABELS)


def sigmoid(values):
    return 1 / (1 + numpy.exp(-numpy.asarray(values, "f8")))


def average_precision(shows, scores):
    """The sum of (R_n - R_n-1) P_n over the distinct scores, descending."""
    shows, scores = numpy.asarray(shows, bool), numpy.asarray(scores)
    result = recall = 0.0
    for threshold in sorted(set(scores.tolist()), reverse=True):
        taken = scores >= threshold
        found = (taken & shows).sum()
        result += (found / shows.sum() - recall) * found / taken.sum()
        recall = found / shows.sum()
    return result


class Outputs(Case):
    def setUp(self):
        super().setUp()
        os.mkdir("data")
        self.random = numpy.random.default_rng(8)

    def init_of_kind(self, kind, labels=None, *more):
        self.init("mobilenet_v3_small", "m.safetensors", *more)
        metadata = {"format": "mobilenet/2", "probabilities": kind}
        if labels:
            metadata["labels"] = json.dumps(labels)
        relabel("m.safetensors", metadata)

    def draw(self, *names):
        for name in names:
            height, width = self.random.integers(30, 60, 2)
            colour = self.random.uniform(0, 255, 3)
            pixels = colour + self.random.normal(0, 40, (height, width, 3))
            write_bmp(f"data/{name}", numpy.clip(pixels, 0, 255).astype("u1"))

    def classify(self, *arguments):
        paths = [f"data/{name}" for name in sorted(os.listdir("data"))]
        return json.loads(self.succeed("classify", "m.safetensors", *paths, *arguments, "--json"))

    def scores(self, key="probability"):
        """[images, classes], by name."""
        rows = []
        for answer in self.classify("--top", "9"):
            row = {c["index"]: c[key] for c in answer["classes"]}
            self.assertEqual(sorted(row.values(), reverse=True), list(row.values()))
            rows.append([row[i] for i in range(len(row))])
        return numpy.array(rows)

    def evaluate(self, *arguments, status=0):
        output, _ = self.run_command(
            "evaluate", "m.safetensors", "data", *arguments, "--json", status=status
        )
        return json.loads(output)

    # ---- Several sigmoids ------------------------------------------------------------------------

    def test_values_and_sigmoids_of_them(self):
        self.draw("a.bmp", "b.bmp")
        self.init_of_kind("none")
        values = self.scores("value")
        self.assertEqual(values.shape, (2, CLASSES))
        self.init_of_kind("sigmoid", LABELS)
        numpy.testing.assert_allclose(self.scores(), sigmoid(values), rtol=1e-5)
        self.assertGreater(abs(self.scores().sum(1) - 1).min(), 0.1)
        labels = {c["index"]: c["label"] for c in self.classify("--top", "9")[0]["classes"]}
        self.assertEqual(labels, dict(enumerate(LABELS)))

    def test_values_as_text(self):
        self.draw("a.bmp")
        self.init_of_kind("none")
        (answer,) = self.classify("--top", "1")
        text = self.succeed("classify", "m.safetensors", "data/a.bmp", "--top", "1")
        best = answer["classes"][0]
        self.assertIn(f"  {best['value']:.6g}  class {best['index']}\n", text)

    def test_none_cannot_be_evaluated(self):
        self.draw("a.bmp")
        self.init_of_kind("none")
        self.fail_with(1, "m.safetensors: its outputs are no probabilities", "evaluate",
                       "m.safetensors", "data")  # fmt: skip

    def make_list(self):
        """30 photos, some twice in other names so that their scores are the same; their labels."""
        names = [f"{i:02}.bmp" for i in range(30)]
        self.draw(*names)
        for i in 3, 11:
            with open(f"data/{i:02}.bmp", "rb") as file:
                data = file.read()
            with open(f"data/{i + 1:02}.bmp", "wb") as file:
                file.write(data)
        shows = self.random.random((30, CLASSES)) < 0.3
        shows[:, 5] = False
        shows[7] = False
        shows[3], shows[4] = ~shows[4], shows[4]
        shows[3, 5] = False
        return names, shows

    def expected(self, shows, scores):
        with numpy.errstate(invalid="ignore"):
            return [average_precision(shows[:, c], scores[:, c]) if shows[:, c].any() else None
                    for c in range(CLASSES)]  # fmt: skip

    def test_average_precision_is_that_of_scikit_learn(self):
        """Its documented example, and two with ties: scikit-learn 1.9.1's values."""
        self.assertAlmostEqual(average_precision([0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8]), 0.8333333333)
        self.assertAlmostEqual(average_precision([1, 0, 1, 0], [0.5, 0.5, 0.9, 0.1]), 0.8333333333)
        random = numpy.random.default_rng(5)
        shows, scores = random.random(40) < 0.3, numpy.round(random.random(40), 1)
        self.assertAlmostEqual(average_precision(shows, scores), 0.3509807337131815)

    def test_average_precision_of_a_list(self):
        names, shows = self.make_list()
        self.init_of_kind("sigmoid", LABELS)
        scores = self.scores()
        self.assertLess(len(set(scores[:, 0].tolist())), 30)  # there are ties
        expected = self.expected(shows, scores)
        lines = ["\t".join([name, *(LABELS[c] for c in range(CLASSES) if shows[i, c])])
                 for i, name in enumerate(names)]  # fmt: skip
        with open("list.txt", "w") as file:
            file.write("\n".join(lines))
        for threads in "1", "3":
            result = self.evaluate("--list", "list.txt", "--threads", threads)
            self.assertEqual((result["images"], result["failed"]), (30, 0))
            for c, label in enumerate(result["labels"]):
                self.assertEqual((label["index"], label["label"]), (c, LABELS[c]))
                self.assertEqual(label["images"], shows[:, c].sum())
                if expected[c] is None:
                    self.assertIsNone(label["average_precision"])
                else:
                    self.assertAlmostEqual(label["average_precision"], expected[c], places=7)
            mean = numpy.mean([e for e in expected if e is not None])
            self.assertAlmostEqual(result["mean_average_precision"], mean, places=7)
        text, _ = self.run_command("evaluate", "m.safetensors", "data", "--list", "list.txt")
        self.assertIn(f"mean average precision  {mean:.4f}  (6 of 7 labels are shown)\n", text)
        self.assertIn(f"{expected[1]:17.4f}  {shows[:, 1].sum():6}  cat, tabby (1)\n", text)
        self.assertNotIn("fox", text)

    def test_a_csv_has_every_label(self):
        names, shows = self.make_list()
        self.init_of_kind("sigmoid", LABELS)
        with open("list.txt", "w") as file:
            file.write(f"{names[0]}\t2\t0\n{names[7]}\nnone.bmp 1\n")
        result = self.evaluate("--list", "list.txt", "--csv", "out.csv", status=1)
        self.assertEqual((result["images"], result["failed"]), (2, 1))
        with open("out.csv", newline="") as file:
            rows = list(csv.DictReader(file))
        self.assertEqual(list(rows[0]), ["file", "classes", *LABELS, "error"])
        self.assertEqual([r["classes"] for r in rows], ["2 0", "", "1"])
        scores = self.scores()
        for row, scored in (rows[0], scores[0]), (rows[1], scores[7]):
            numpy.testing.assert_allclose([float(row[label]) for label in LABELS], scored, rtol=1e-6)
        self.assertEqual([rows[2][label] for label in LABELS], [""] * CLASSES)
        self.assertIn("No such file", rows[2]["error"])

    def test_ways_to_write_a_list(self):
        names, shows = self.make_list()
        self.init_of_kind("sigmoid", LABELS)
        results = []
        for line, wrong in [
            ("{0}\tant\tcat, tabby\tdog", False),
            ("{0} ant,dog, 1", False),
            ("{0} 0 2 1", False),
            ("{0} ant\n{0} cat, tabby\n{0}\tdog\n", False),
            ("{0} dog\n{0}\tant\t1", False),
            ("{0}\tant\tbird", True),
            ("{0} ant, bird", True),
        ]:
            with open("list.txt", "w") as file:
                file.write(line.format(names[0]) + f"\n{names[1]} elk\n{names[2]}\n")
            result = self.evaluate("--list", "list.txt", status=int(wrong))
            if wrong:
                self.assertIn("no class 'bird'", json.dumps(result["left_out"])
                              + self.run_command("evaluate", "m.safetensors", "data", "--list",
                                                 "list.txt", status=1)[1])  # fmt: skip
                continue
            self.assertEqual(result["images"], 3)
            self.assertEqual([c["images"] for c in result["labels"]], [1, 1, 1, 1, 0, 0, 0])
            results.append([c["average_precision"] for c in result["labels"]])
        for result in results[1:]:
            self.assertEqual(result, results[0])

    def test_folders_of_labels(self):
        """A label for each photo: how often it is the most probable one."""
        self.init_of_kind("sigmoid", LABELS)
        self.draw("a.bmp")
        (best,) = [c["index"] for c in self.classify("--top", "1")[0]["classes"]]
        os.mkdir(f"data/{best}")
        os.rename("data/a.bmp", f"data/{best}/a.bmp")
        self.assertEqual(self.evaluate()["top1"], 1)

    # ---- A single one ----------------------------------------------------------------------------

    def test_either_or(self):
        names = [f"{i}.bmp" for i in range(8)]
        self.draw(*names)
        self.init_of_kind("none", None, "--classes", "1")
        yes = sigmoid(self.scores("value")[:, 0])
        self.assertGreater(numpy.ptp(yes), 0)
        for labels, arguments in [(["cat", "dog"], []), (None, []), (None, ["--labels", "l.txt"])]:
            with open("l.txt", "w") as file:
                file.write("cat\ndog\n")
            self.init_of_kind("sigmoid", labels, "--classes", "1")
            for i, answer in enumerate(self.classify(*arguments)):
                got = {c["index"]: c["probability"] for c in answer["classes"]}
                self.assertAlmostEqual(got[1], yes[i], places=6)
                self.assertAlmostEqual(got[0], 1 - yes[i], places=6)
                self.assertEqual(answer["classes"][0]["index"], int(yes[i] > 0.5))
                names_of = {c["index"]: c["label"] for c in answer["classes"]}
                named = labels or arguments
                self.assertEqual(names_of, {0: "cat", 1: "dog"} if named else {0: None, 1: None})
        text = self.succeed("classify", "m.safetensors", "data/0.bmp", "--top", "1", *arguments)
        self.assertIn(" dog (1)\n" if yes[0] > 0.5 else " cat (0)\n", text)

    def test_two_folders(self):
        names = [f"{i}.bmp" for i in range(9)]
        self.draw(*names)
        self.init_of_kind("sigmoid", ["cat", "dog"], "--classes", "1")
        answers = [a["classes"][0]["index"] for a in self.classify("--top", "1")]
        os.makedirs("data/cat")
        os.makedirs("data/dog")
        right = 0
        for i, name in enumerate(names):
            os.rename(f"data/{name}", f"data/{['cat', 'dog'][i % 2]}/{name}")
            right += answers[i] == i % 2
        result = self.evaluate()
        self.assertEqual((result["images"], result["top1"], result["topk"]), (9, right, 9))
        self.assertEqual(result["k"], 2)
        for c in result["worst_classes"]:
            self.assertEqual(c["label"], ["cat", "dog"][c["index"]])
        with open("list.txt", "w") as file:
            file.write("".join(f"{['cat', 'dog'][i % 2]}/{name} {i % 2}\n"
                               for i, name in enumerate(names)))  # fmt: skip
        self.assertEqual(self.evaluate("--list", "list.txt")["top1"], right)

    def test_a_softmax_of_one_output(self):
        """As 0.1 wrote one, which is always 1: that is said."""
        self.draw("a.bmp")
        self.init_of_kind("softmax", None, "--classes", "1")
        for command in ("classify", "m.safetensors", "data/a.bmp"), ("evaluate", "m.safetensors", "data",
                                                                   "--list", "l.txt"):  # fmt: skip
            with open("l.txt", "w") as file:
                file.write("a.bmp 0\n")
            _, errors = self.run_command(*command)
            self.assertIn("mobilenet: m.safetensors: its one output is a softmax's, which is always 1",
                          errors)  # fmt: skip

    def test_one_label(self):
        self.draw("a.bmp", "b.bmp", "c.bmp")
        self.init_of_kind("sigmoid", ["cat"], "--classes", "1")
        scores = self.scores()
        self.assertEqual(scores.shape, (3, 1))
        with open("list.txt", "w") as file:
            file.write("a.bmp cat\nb.bmp\nc.bmp\n")
        result = self.evaluate("--list", "list.txt")
        rank = 1 + int((scores[1:, 0] > scores[0, 0]).sum())
        self.assertAlmostEqual(result["mean_average_precision"], 1 / rank, places=7)
        self.assertFalse(math.isnan(result["mean_average_precision"]))

    def test_labels_of_another_number(self):
        self.draw("a.bmp")
        self.init_of_kind("sigmoid", None, "--classes", "1")
        with open("l.txt", "w") as file:
            file.write("cat\ndog\nelk\n")
        self.fail_with(1, "l.txt: 3 labels for 2 classes", "classify", "m.safetensors",
                       "data/a.bmp", "--labels", "l.txt")  # fmt: skip


if __name__ == "__main__":
    main()
