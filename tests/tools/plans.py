#!/usr/bin/python3
"""The `mobilenet` command, run as its users run it: plan and profile, on small models.  No times are
judged, only that they add up.

usage: plans.py MOBILENET [unittest's arguments]"""

import datetime
import itertools
import json
import os
import random
import re
import xml.etree.ElementTree

import numpy

from case import NETWORKS, Case, main
from tables import write_table

SVG = "{http://www.w3.org/2000/svg}"
WAYS = [[], ["--band", "1"], ["--band", "1024"], ["--band", "none"], ["--threads", "2"],
        ["--precision", "bfloat16"], ["--precision", "bfloat16", "--isa", "scalar"]]

VISION = [  # what linear RGB becomes without a kind of cones: normal, protanopia, deuteranopia
    numpy.eye(3),
    [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
    [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]],
]
XYZ = [[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]]


def lab(color, vision):
    """CIELAB of "#rrggbb"."""
    rgb = numpy.array([int(color[i : i + 2], 16) for i in (1, 3, 5)]) / 255
    linear = numpy.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    xyz = numpy.array(XYZ) @ numpy.clip(numpy.array(vision) @ linear, 0, 1) / [0.9505, 1, 1.089]
    x, y, z = numpy.where(xyz > 0.008856, numpy.cbrt(xyz), 7.787 * xyz + 16 / 116)
    return numpy.array([116 * y - 16, 500 * (x - y), 200 * (y - z)])


def color_difference(a, b):
    return min(float(numpy.linalg.norm(lab(a, vision) - lab(b, vision))) for vision in VISION)


class Steps(Case):
    def counts(self, network, size="40x48"):
        """What `count` says of the model that init writes: its layers come from the network alone."""
        width = [] if network.endswith("article") else ["--width", "0.35"]
        arguments = [network, *width, "--resolution", size, "--classes", "7", "--json"]
        return json.loads(self.succeed("count", *arguments))

    def json(self, *arguments):
        return json.loads(self.succeed(*arguments, "--json"))

    def check_steps(self, result, counts):
        """The steps cover each layer once, in order, and say of them what count says."""
        layers = counts["layers"]
        covered = [layer["name"] for step in result["steps"] for layer in step["layers"]]
        self.assertEqual(covered, [layer["name"] for layer in layers])
        begin = 0
        element = 2 if result["precision"] == "bfloat16" else 4
        for step in result["steps"]:
            self.assertEqual(step["first_layer"], begin)
            begin = step["last_layer"] + 1
            if step["kind"] == "convert":  # the image, for kernels that do not read floats
                self.assertEqual((step["layers"], begin, step["multiply_adds"]), ([], 0, 0))
                self.assertEqual(step["output"], [*result["input"], result["input_channels"]])
                self.assertGreaterEqual(step["bytes"], 2 * element)
                continue
            own = layers[step["first_layer"] : begin]
            self.assertEqual([x["kind"] for x in step["layers"]], [x["kind"] for x in own])
            self.assertEqual(step["kind"], "+".join(x["role"] for x in step["layers"]))
            self.assertEqual(step["output"], own[-1]["output"])
            self.assertEqual(step["multiply_adds"], sum(x["multiply_adds"] for x in own))
            self.assertGreater(step["bytes"], element * sum(x["weights"] for x in own))
            self.assertGreaterEqual(step["tasks"], 1)
            self.assertGreaterEqual(step["band_rows"], 1)
        self.assertEqual(begin, len(layers))
        for key in "network", "width", "input", "classes", "multiply_adds":
            self.assertEqual(result[key], counts[key])


class Plan(Steps):
    def test_every_layer_once(self):
        for network in NETWORKS:
            counts = self.counts(network)
            model = self.init(network)
            for way in WAYS:
                with self.subTest(network=network, way=way):
                    plan = self.json("plan", model, *way)
                    self.check_steps(plan, counts)
                    steps = [step for step in plan["steps"] if step["layers"]]
                    single = len(steps) == len(counts["layers"])
                    self.assertEqual(single, way == ["--band", "none"])

    def test_bytes(self):
        """v1 is a chain: a step reads what the one before it wrote, its weights and biases."""
        layers = self.counts("mobilenet_v1")["layers"]
        model = self.init("mobilenet_v1")
        for way in WAYS:
            plan = self.json("plan", model, *way)
            element = 2 if plan["precision"] == "bfloat16" else 4
            size = 4 * 40 * 48 * 3
            for step in plan["steps"]:
                if step["kind"] == "convert":
                    continue
                total = size
                for layer in layers[step["first_layer"] : step["last_layer"] + 1]:
                    total += element * layer["weights"]
                    total += 4 * layer["output"][2] if layer["weights"] else 0
                height, width, channels = step["output"]
                vector = height * width == 1  # those are floats
                size = height * width * channels * (4 if vector else element)
                self.assertEqual(step["bytes"], total + size)

    def test_forced_bands(self):
        model = self.init("mobilenet_v2")
        for rows in 1, 3, 1024:
            for step in self.json("plan", model, "--band", str(rows))["steps"]:
                if "depthwise" in step["kind"] and len(step["layers"]) > 1:
                    # The projection keeps the depthwise convolution's rows.
                    self.assertEqual(step["band_rows"], min(rows, step["output"][0]))

    def test_memory(self):
        model = self.init("mobilenet_v2")
        small, large = (self.json("plan", model, "--input", size) for size in ("40x48", "96x128"))
        for plan in small, large:
            memory = plan["memory"]
            self.assertLess(0, memory["arena"])
            self.assertLess(memory["arena"], memory["context"])
            weights = sum(layer["weights"] for layer in self.counts("mobilenet_v2")["layers"])
            self.assertGreaterEqual(memory["model"], 4 * weights)
        self.assertEqual(large["input"], [96, 128])
        self.check_steps(large, self.counts("mobilenet_v2", "96x128"))
        self.assertLess(small["memory"]["arena"], large["memory"]["arena"])
        self.assertEqual(small["memory"]["model"], large["memory"]["model"])
        square = self.json("plan", model, "--input", "64")
        self.assertEqual(square["input"], [64, 64])

    def test_kernels_and_threads(self):
        model = self.init("mobilenet_v2")
        plan = self.json("plan", model, "--isa", "scalar")
        self.assertEqual((plan["kernels"]["name"], plan["kernels"]["block"]), ("scalar", 1))
        self.assertEqual({step["tasks"] for step in plan["steps"]}, {1})
        cpus = int(re.search(r"CPUs +(\d+) of \d+ usable", self.succeed("info"))[1])
        for asked in 1, 2, 1024:
            plan = self.json("plan", model, "--threads", str(asked))
            self.assertEqual(plan["threads"], min(asked, cpus))
        chosen = re.search(
            r"chosen +(\S+), .*\(channel blocks of (\d+)\)", self.succeed("info")
        ).groups()
        self.assertEqual((plan["kernels"]["name"], str(plan["kernels"]["block"])), chosen)

    def test_text(self):
        for network in NETWORKS:
            model = self.init(network)
            plan = self.json("plan", model)
            text = self.succeed("plan", model)
            kernels, memory = plan["kernels"], plan["memory"]
            self.assertIn(f"{network}, width {plan['width']:g}, input 40x48, 7 classes\n", text)
            self.assertIn(
                f"{kernels['name']} kernels in float32: blocks of {kernels['block']} channels, panels of "
                f"{kernels['panel']} blocks; 1 thread\n",
                text,
            )
            for index, step in enumerate(plan["steps"]):
                first, last = step["first_layer"], step["last_layer"]
                cells = [
                    str(index),
                    f"{first}-{last}" if last > first else str(first),
                    step["layers"][0]["name"],
                    step["kind"],
                    "x".join(map(str, step["output"])),
                    str(step["band_rows"]),
                    str(step["tasks"]),
                    f"{step['multiply_adds']:,}",
                    f"{step['bytes']:,}",
                ]
                self.assertRegex(text, "(?m)^ *" + " +".join(map(re.escape, cells)) + "$")
            total = sum(step["bytes"] for step in plan["steps"])
            self.assertRegex(text, rf"(?m)^total +{plan['multiply_adds']:,} +{total:,}$")
            for key in "arena", "context", "model":
                self.assertRegex(text, rf"(?m)^{key} +{memory[key]:,} bytes")


class Profile(Steps):
    def assert_close(self, value, expected):
        """JSON has nine digits of either, and of what they are sums of."""
        self.assertAlmostEqual(value / expected, 1, delta=1e-6)

    def check_cost(self, cost, result):
        self.assertGreater(cost["ms"], 0)
        self.assert_close(cost["percent_of_total"], 100 * cost["ms"] / result["steps_ms"])
        peak = result["threads"] * result["peak_gflops_per_core"]
        floor = 2e-6 * cost["multiply_adds"] / peak
        self.assert_close(floor + cost["ms_over_floor"], cost["ms"])
        self.assertLess(cost["ms_cold"], cost["ms"])  # the second run took some time, too
        if cost["multiply_adds"] == 0:
            self.assertIsNone(cost["gflops"])
            self.assertIsNone(cost["percent_of_peak"])
            return
        self.assert_close(cost["gflops"], 2e-6 * cost["multiply_adds"] / cost["ms"])
        self.assert_close(cost["percent_of_peak"], 100 * cost["gflops"] / peak)

    def check_sums(self, result):
        steps, kinds = result["steps"], result["kinds"]
        for rows in steps, kinds:
            for row in rows:
                self.check_cost(row, result)
            self.assert_close(sum(row["ms"] for row in rows), result["steps_ms"])
            self.assert_close(sum(row["percent_of_total"] for row in rows), 100)
        self.assertEqual(len({kind["kind"] for kind in kinds}), len(kinds))
        self.assertEqual([x["ms"] for x in kinds], sorted((x["ms"] for x in kinds), reverse=True))
        for kind in kinds:
            own = [step for step in steps if step["kind"] == kind["kind"]]
            self.assertEqual(kind["steps"], len(own))
            self.assert_close(kind["ms"], sum(step["ms"] for step in own))
            # A difference of times: as exact as they are.
            cold = sum(step["ms_cold"] for step in own)
            self.assertAlmostEqual(kind["ms_cold"], cold, delta=1e-6 * kind["ms"] + 1e-8 * abs(cold))
            for key in "multiply_adds", "bytes":
                self.assertEqual(kind[key], sum(step[key] for step in own))
        peak = result["threads"] * result["peak_gflops_per_core"]
        self.assert_close(result["floor_ms"], 2e-6 * result["multiply_adds"] / peak)
        for key in "run_ms", "clocked_run_ms":
            self.assertGreater(result[key], 0)

    def test_adds_up(self):
        for network in NETWORKS:
            counts = self.counts(network)
            model = self.init(network)
            for way in [], ["--band", "none"], ["--threads", "2"], ["--precision", "bfloat16"]:
                with self.subTest(network=network, way=way):
                    result = self.json("profile", model, "--rounds", "3", *way)
                    self.check_steps(result, counts)
                    self.check_sums(result)
                    plan = self.json("plan", model, *way)
                    for step, planned in zip(result["steps"], plan["steps"], strict=True):
                        self.assertEqual({key: step[key] for key in planned}, planned)

    def test_says_what_it_measured(self):
        model = self.init()
        for rounds in 1, 2, 11:
            result = self.json("profile", model, "--rounds", str(rounds), "--isa", "scalar")
            self.assertEqual(result["rounds"], rounds)
            self.assertEqual(result["kernels"]["name"], "scalar")
            self.assertEqual(result["precision"], "float32")
            self.assertGreater(result["peak_gflops_per_core"], 0)
        # One round: the median of a run is the sum of its steps.
        result = self.json("profile", model, "--rounds", "1")
        self.assert_close(result["clocked_run_ms"], result["steps_ms"])
        cpu = re.search(r"(?m)^CPU: (.*)$", self.succeed("info"))[1]
        self.assertEqual(result["machine"], cpu)
        days = abs(datetime.date.fromisoformat(result["date"]) - datetime.date.today()).days
        self.assertLessEqual(days, 1)

    def test_text(self):
        for network in NETWORKS:
            model = self.init(network)
            plan = self.json("plan", model)
            text = self.succeed("profile", model, "--rounds", "2")
            cost = r"\d+\.\d{4} +(\d+\.\d|-) +(\d+\.\d|-) +-?\d+\.\d{4} +-?\d+\.\d{4} +\d+\.\d{3} +\d+\.\d"
            for index, step in enumerate(plan["steps"]):
                shape = "x".join(map(str, step["output"]))
                name, kind = (re.escape(x) for x in (step["layers"][0]["name"], step["kind"]))
                self.assertRegex(text, rf"(?m)^ *{index} +{name} +{kind} +{shape} +{cost}$")
            self.assertRegex(text, rf"(?m)^total +{cost}$")
            for kind in {step["kind"] for step in plan["steps"]}:
                count = sum(step["kind"] == kind for step in plan["steps"])
                self.assertRegex(text, rf"(?m)^{re.escape(kind)} +{count} +{cost}$")
            self.assertRegex(text, r"(?m)^ *\d+\.\d{4} ms  multiply-adds at the peak of 1 core, ")
            self.assertRegex(text, r"(?m)^ *\d+\.\d{4} ms  a plain run, \d+\.\d\d times that$")
            self.assertIn("Medians of 2 rounds on ", text)


class Plot(Steps):
    def plot(self, model, *arguments):
        result = self.json("profile", model, "--rounds", "2", "--plot", "p.svg", *arguments)
        return result, xml.etree.ElementTree.parse("p.svg").getroot()

    def bars(self, element):
        return element.findall(f"{SVG}rect[@fill-opacity]")

    def test_draws_what_json_says(self):
        for network in NETWORKS:
            with self.subTest(network):
                result, svg = self.plot(self.init(network))
                self.check_drawing(result, svg)

    def test_other_plans(self):
        model = self.init("mobilenet_v3_large")
        for way in ["--band", "none"], ["--threads", "2"], ["--precision", "bfloat16", "--isa", "scalar"]:
            self.check_drawing(*self.plot(model, *way))

    def check_drawing(self, result, svg):
        texts = [text.text for text in svg.iter(f"{SVG}text")]
        rows = svg.findall(f"{SVG}g")
        self.assertEqual(len(rows), len(result["steps"]))
        longest = max(sum(map(self.width, self.bars(row))) for row in rows)
        scale = longest / max(step["ms"] for step in result["steps"])
        peak = result["threads"] * result["peak_gflops_per_core"]
        color_of = {}
        for row, step in zip(rows, result["steps"]):
            names = [layer["name"] for layer in step["layers"]]
            self.assertEqual(row.find(f"{SVG}title").text, ", ".join([*names, step["kind"]]))
            self.assertIn(names[0] if names else step["kind"], [text.text for text in row.iter(f"{SVG}text")])
            solid, pale = self.bars(row)
            self.assertEqual(solid.get("fill"), pale.get("fill"))
            self.assertEqual(
                color_of.setdefault(step["kind"], solid.get("fill")), solid.get("fill")
            )
            # A hundredth of a pixel is what coordinates are rounded to.
            self.assertAlmostEqual(self.width(solid) + self.width(pale), scale * step["ms"], delta=0.1)
            floor = min(2e-6 * step["multiply_adds"] / peak, step["ms"])
            self.assertAlmostEqual(self.width(solid), scale * floor, delta=0.1)
        self.assertEqual(len(set(color_of.values())), len(color_of))

        # The bar by kind and the legend: for each kind a part and a mark of the same colour.
        marks = self.bars(svg)
        kinds = result["kinds"]
        self.assertEqual(len(marks), 2 * len(kinds))
        for part, mark, kind in zip(marks, marks[len(kinds) :], kinds):
            self.assertEqual(part.get("fill"), color_of[kind["kind"]])
            self.assertEqual(mark.get("fill"), color_of[kind["kind"]])
            self.assertIn(kind["kind"], texts)
        place = float(marks[0].get("x"))
        left, total = place, float(svg.get("width")) - 2 * place
        for part, kind in zip(marks, kinds):
            self.assertAlmostEqual(float(part.get("x")), place, delta=0.1)
            place += total * kind["percent_of_total"] / 100
        self.assertAlmostEqual(place, left + total, delta=0.1)

        for rectangle in svg.iter(f"{SVG}rect"):
            self.assertGreaterEqual(self.width(rectangle), 0)
            right = float(rectangle.get("x", 0)) + self.width(rectangle)
            self.assertLessEqual(right, float(svg.get("width")))
        caption = texts[-1]
        for part in result["machine"], result["date"], f"{result['rounds']} rounds":
            self.assertIn(part, caption)

    def width(self, rectangle):
        return float(rectangle.get("width"))

    def test_a_kind_has_one_color_in_all_drawings(self):
        """Any two of one drawing are told apart also without red or green cones (Machado, Oliveira and
        Fernandes 2009, severity 1)."""
        colors = {}
        for model in self.models():
            for way in [], ["--band", "none"], ["--threads", "2"], ["--isa", "scalar"]:
                result, svg = self.plot(model, *way)
                found = {}
                for row, step in zip(svg.findall(f"{SVG}g"), result["steps"]):
                    found[step["kind"]] = self.bars(row)[0].get("fill")
                    self.assertIn(step["kind"], [text.text for text in row.iter(f"{SVG}text")])
                for kind, color in found.items():
                    self.assertEqual(colors.setdefault(kind, color), color)
                for (a, one), (b, other) in itertools.combinations(found.items(), 2):
                    self.assertGreater(color_difference(one, other), 20, (a, b))
        for kind in "head max pool", "head global max pool", "head pool", "project+depthwise+project":
            self.assertIn(kind, colors)
        self.assertGreater(len(colors), 20)

    def models(self):
        """One of each network, and of tables with rows of all kinds after each other."""
        for network in NETWORKS:
            yield self.init(network)
        choice = random.Random(2).choice
        for pool, kernel in itertools.product(("average", "max"), (3, 5, 3, 5)):
            rows = []
            for _ in range(6):
                row = {"kernel": kernel, "strides": choice([[1, 1], [2, 2]]), "activation": "relu",
                       "channels": choice([5, 16, 40])}  # fmt: skip
                row.update(choice([{"kind": "separable"}, {"expand": 24}, {}]))
                row.update(choice([{"squeeze": 4}, {}]))
                rows.append(row)
            table = {"stem": {"channels": 16, "activation": "relu"}, "rows": rows, "pool": pool}
            table.update(choice([{"head": {"channels": 32, "activation": "relu"}}, {}]))
            table.update(choice([{"max_pool": {"window": 2, "stride": 2}}, {}]))
            table.update(choice([{"hidden": [{"channels": 9, "activation": "relu"}]}, {}]))
            write_table("table.safetensors", table, (160, 192))
            yield "table.safetensors"

    def test_axes_and_columns_are_labelled(self):
        _, svg = self.plot(self.init())
        texts = [text.text for text in svg.iter(f"{SVG}text")]
        for label in (
            "time of a step, ms", "All steps, by kind", "% of the steps' time", "first layer", "layers",
            "output", "ms", "% of peak", "steps", "% of time", "layers that run together",
        ):  # fmt: skip
            self.assertIn(label, texts)

    def test_it_is_svg_and_not_named_otherwise(self):
        model = self.init()
        for name in "p.png", "p.PDF", "p.jpg":
            self.fail_with(
                2, f"--plot: '{name}': what is written is no {name[2:]}; name it .svg",
                "profile", model, "--plot", name,
            )
        self.assertEqual(os.listdir(), [model])

    def test_a_file_that_cannot_be_written(self):
        model = self.init()
        output, errors = self.run_command(
            "profile", model, "--rounds", "1", "--plot", "no/p.svg", status=1
        )
        self.assertIn("Medians of 1 rounds", output)  # what was measured is not lost
        self.assertEqual(errors, "mobilenet: no/p.svg: No such file or directory\n")


class Errors(Case):
    def test_usage(self):
        model = self.init()
        for command in "plan", "profile":
            for message, *arguments in [
                ("missing argument: MODEL",),
                ("too many arguments: 'b'", model, "b"),
                ("--threads: '0' is not", model, "--threads", "0"),
                ("--isa: 'avx3' is not a list of", model, "--isa", "avx3"),
                ("--precision: 'bf16' is none of default, float32, bfloat16, int8, fastest", model, "--precision", "bf16"),
                ("--input: '224x' is not N or HxW", model, "--input", "224x"),
                ("--input: '0' is not N or HxW", model, "--input", "0"),
                ("input_height: 31 is", model, "--input", "31x32"),
                ("--band: '0' is not a whole number from 1 to 1024", model, "--band", "0"),
                ("--band: '-1' is not", model, "--band=-1"),
                ("--band: '1025' is not", model, "--band", "1025"),
                ("--band: 'all' is not", model, "--band", "all"),
                ("unrecognized option '--frob'", model, "--frob"),
            ]:
                with self.subTest(command=command, arguments=arguments):
                    self.fail_with(2, message, command, *arguments)
        for rounds in "0", "100001", "x":
            self.fail_with(2, f"--rounds: '{rounds}' is not", "profile", model, "--rounds", rounds)
        for option in "--rounds", "--plot":
            self.fail_with(2, "unrecognized option", "plan", model, option, "1")
        self.assertEqual(os.listdir(), [model])

    def test_models(self):
        with open("bad", "wb") as file:
            file.write(b"not a model at all")
        for command in "plan", "profile":
            self.fail_with(1, "no/m: ", command, "no/m")
            self.fail_with(1, "bad: ", command, "bad")


if __name__ == "__main__":
    main()
