"""The tables of bench/report, from made-up results with known answers."""

import importlib.machinery
import importlib.util
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import unittest

PATH = pathlib.Path(__file__).resolve().parents[2] / "bench/report"
LOADER = importlib.machinery.SourceFileLoader("report", str(PATH))
report = importlib.util.module_from_spec(importlib.util.spec_from_loader("report", LOADER))
LOADER.exec_module(report)

CONTEXT = {"tables": "scalar,avx2", "cpu": "a CPU", "date": "2026-11-25T00:00:00",
           "peak GFLOP/s scalar": "10.00", "peak GFLOP/s avx2": "100.00",
           "read GB/s L2": "200 (512 KiB)", "read GB/s L1": "400 (24 KiB)", "xnnpack": "1"}


def run(name, microseconds, **counters):
    return {"run_name": name, "run_type": "iteration", "cpu_time": microseconds, "real_time": 9e9,
            "time_unit": "us", "iterations": 1,
            **{key: float(value) for key, value in counters.items()}}


def work(name, microseconds, gflops, **more):
    return run(name, microseconds, **{"GFLOP/s": gflops, "%peak": gflops, "peak_GFLOP/s": 100,
                                "GB/s": 1, **more})


def tables(*runs):
    results = report.medians({"benchmarks": list(runs)})
    return results, report.by_shape(results)


class Tables(unittest.TestCase):
    def test_repetitions_are_one_median_and_failures_and_aggregates_are_none(self):
        results, _ = tables(
            work("pointwise/avx2/a", 9, 1), work("pointwise/avx2/a", 1, 5),
            work("pointwise/avx2/a", 3, 2),
            {**run("pointwise/avx2/b", 1), "error_occurred": True},
            {**run("pointwise/avx2/c", 1), "run_type": "aggregate"})
        self.assertEqual(list(results), ["pointwise/avx2/a"])
        self.assertAlmostEqual(results["pointwise/avx2/a"]["seconds"], 3e-6)
        self.assertEqual(results["pointwise/avx2/a"]["GFLOP/s"], 2)

    def test_stems_are_not_standard_convolution_and_squares_are_left_out(self):
        _, groups = tables(work("convolution/avx2/3x3s2/224x224x3-16", 1, 1),
                           work("convolution/avx2/3x3s1/14x14x13-16", 1, 1),
                           work("pointwise/avx2/square/8x8x8-8", 1, 1), work("add/avx2/1x1x1", 1, 1))
        self.assertEqual(list(groups["stem"]), ["3x3s2/224x224x3-16"])
        self.assertEqual(list(groups["standard convolution"]), ["3x3s1/14x14x13-16"])
        self.assertEqual(groups["pointwise"], {})

    def test_percent_of_peak_is_all_work_in_all_time(self):
        # Half of the peak for 3 us and nine tenths for 1 us: 2.4 us of work in 4 us.
        _, groups = tables(work("pointwise/avx2/a", 3, 50), work("pointwise/avx2/b", 1, 90))
        self.assertIn("| pointwise | avx2 | 2 | 60.0 | 50.0 | 90.0 |",
                      report.against_peak(groups))

    def test_particular_shapes_are_those_that_their_titles_say(self):
        # Operands are GB/s times seconds: 4 and 600 KiB, of which half of L2 (512) holds one.
        held, larger = {"GB/s": 4.096}, {"GB/s": 614.4}
        _, groups = tables(
            work("pointwise/avx2/7x7x64-32", 1, 90), work("pointwise/avx2/7x7x64-24", 1, 10),
            work("pointwise/avx2/7x7x48-32", 1, 20),
            work("pointwise/scalar/7x7x64-24/residual", 1, 40),
            work("depthwise/avx2/3x3s1/7x7x8", 1, 60, **held),
            work("depthwise/avx2/3x3s1/9x9x8", 3, 80, **held),
            work("depthwise/avx2/3x3s1/99x99x8", 1, 30, **larger),
            work("depthwise/avx2/5x5s1/7x7x8", 1, 70, **held))
        text = report.particular(groups, CONTEXT)
        for line in ("| % of peak (shapes) | avx2 | scalar |",
                     "| pointwise, 64 inputs or more, whole pairs of vectors | 90.0 (1) | 40.0 (1) |",
                     "| depthwise 3x3s1, in half of L2 | 75.0 (2) | - |",
                     "| depthwise 5x5s1, in half of L2 | 70.0 (1) | - |",
                     "| depthwise 3x3s2, in half of L2 | - | - |"):
            self.assertIn(line, text)

    def test_the_peak_is_the_median_of_what_was_measured_beside(self):
        _, groups = tables(*(work(f"pointwise/avx2/7x7x64-{peak}", 1, 9, **{"peak_GFLOP/s": peak})
                             for peak in (50, 52, 101)))
        self.assertEqual(report.peak_of(groups, CONTEXT, "avx2"), 52)
        self.assertEqual(report.peak_of({}, CONTEXT, "avx2"), 100)

    def test_peers_are_compared_shape_by_shape(self):
        _, groups = tables(work("depthwise/avx2/a", 1, 1), work("depthwise/xnnpack/a", 8, 1),
                           work("depthwise/avx2/b", 4, 1), work("depthwise/xnnpack/b", 2, 1),
                           work("depthwise/avx2/alone", 1, 1))
        self.assertEqual(report.best_isa(CONTEXT), "avx2")
        self.assertIn("| depthwise | XNNPACK | 2 | 2.00 | 1 | 0.50 (b) |",
                      report.against_peers(groups, "avx2"))
        self.assertIn("| a | 1.00 | 1.0 | 1.0 | 8.00 (8.00x) |",
                      report.each_shape(groups["depthwise"], "avx2"))

    def test_other_elements_have_the_best_table_of_float32_beside_them(self):
        context = {**CONTEXT, "tables": "scalar,avx2,scalar:bf16,avx2:bf16,avx512bf16:bf16",
                   "peak GFLOP/s avx512bf16:bf16": "200.00"}
        results, _ = tables(
            work("pointwise/scalar/a", 9, 1), work("pointwise/avx2/a", 6, 50),
            work("pointwise/xnnpack/a", 7, 1), work("pointwise/avx2:bf16/a", 8, 40),
            work("pointwise/avx512bf16:bf16/a", 3, 90), work("pointwise/avx512bf16:bf16/b", 1, 80))
        self.assertEqual(report.elements_of(results), ["f32", "bf16"])
        own, floats = report.of_element("f32", context, results)
        self.assertEqual(own["tables"], "scalar,avx2")
        self.assertEqual(own["xnnpack"], "1")
        self.assertNotIn("peak GFLOP/s avx512bf16", own)
        self.assertEqual(list(report.by_shape(floats)["pointwise"]["a"]),
                         ["scalar", "avx2", "xnnpack"])
        own, found = report.of_element("bf16", context, results)
        self.assertEqual(report.best_isa(own), "avx512bf16")
        self.assertEqual(own["peak GFLOP/s avx512bf16"], "200.00")
        self.assertFalse({"xnnpack", "peak GFLOP/s avx2", "peak GFLOP/s scalar"} & set(own))
        groups = report.by_shape(found)
        self.assertIn("| pointwise | avx512bf16 | 2 | 87.5 | 80.0 | 90.0 |",
                      report.against_peak(groups))
        self.assertIn("| pointwise | float32 | 1 | 2.00 | 0 | 2.00 (a) |",
                      report.against_peers(groups, "avx512bf16"))
        self.assertIn("| a | 3.00 | 90.0 | 1.0 | 6.00 (2.00x) |",
                      report.each_shape(groups["pointwise"], "avx512bf16"))

    def test_separable_ratios_of_all_shapes_are_of_their_sums(self):
        counters = {"parameters_standard": 9, "parameters_separable": 3, "macs_ratio": 2,
                    "time_ratio": 3, "us_separable": 1, "macs_separable": 1e6}
        shapes = report.separable(tables(
            run("compare_separable/avx2/a", 1, macs_standard=2e6, us_standard=3, **counters),
            run("compare_separable/avx2/b", 1, macs_standard=6e6, us_standard=1, **counters),
            run("compare_separable/avx2/square/a", 1, **counters))[0], "avx2")
        self.assertIn("| all |  |  | 8.0 | 2.0 | 4.00 | 4.0 | 2.0 | 2.00 |",
                      report.separable_table(shapes))

    def test_roofs_are_the_fastest_first(self):
        self.assertEqual(report.bandwidths(CONTEXT), {"L1": 400, "L2": 200})
        self.assertEqual(list(report.bandwidths(CONTEXT)), ["L1", "L2"])


SHAPES = {"pointwise": "7x7x64-32", "depthwise": "3x3s1/7x7x8", "fully_connected": "64-10",
          "convolution": "3x3s2/224x224x3-16"}
STANDARD = "convolution/avx2/3x3s1/14x14x13-16"
PAIR = {key: 2 for key in ("parameters_standard", "parameters_separable", "macs_standard",
                           "macs_separable", "us_standard", "us_separable", "macs_ratio",
                           "time_ratio")}


def whole_report(without="", tables=("avx2",)):
    """JSON of all that a page needs of each table, but for one family."""
    runs = []
    for table in tables:
        runs += [work(f"{family}/{table}/{shape}", 1, 50) for family, shape in SHAPES.items()]
        runs += [work(STANDARD.replace("avx2", table), 1, 50),
                 run(f"compare_separable/{table}/3x3s1/7x7x8-8", 1, **PAIR)]
    context = {**CONTEXT, "tables": ",".join(tables)}
    return {"context": context, "benchmarks": [r for r in runs if not without or
                                               not r["run_name"].startswith(without)]}


class Files(unittest.TestCase):
    """Nothing that is there is touched before all that replaces it is made."""

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        self.results = self.folder / "results"
        self.results.mkdir()
        self.old = {"kernels.md": "old page", "roofline.svg": "old plot"}
        for name, text in self.old.items():
            (self.results / name).write_text(text)

    def make(self, text, path="", *arguments):
        """A finished run on a file with this text; path: where modules are found first."""
        file = self.folder / "kernels.json"
        file.write_text(text if isinstance(text, str) else json.dumps(text))
        return subprocess.run(
            [sys.executable, "-B", PATH, *(arguments or (file, self.results))], capture_output=True,
            text=True, env={**os.environ, "PYTHONPATH": str(path)})

    def fails_and_touches_nothing(self, message, *arguments):
        done = self.make(*arguments)
        self.assertNotEqual(done.returncode, 0)
        self.assertIn(message, done.stderr)
        self.assertNotIn("Traceback", done.stderr)
        self.assertEqual({p.name: p.read_text() for p in self.results.iterdir()}, self.old)

    def test_what_is_no_report(self):
        self.fails_and_touches_nothing("not a report of mobilenet-bench", "{")
        self.fails_and_touches_nothing("not a report of mobilenet-bench", "[]")
        self.fails_and_touches_nothing("not a report of mobilenet-bench", "{}")

    def test_a_report_that_lacks_something(self):
        for family, name in (("pointwise", "pointwise"), ("fully_connected", "fully connected"),
                             ("convolution/avx2/3x3s2", "stem"), (STANDARD, "standard convolution"),
                             ("compare_separable", "compare_separable")):
            self.fails_and_touches_nothing(f"no results with avx2 of {name}; bench/README.md has",
                                           whole_report(family))
        self.fails_and_touches_nothing(
            "no results with avx2 in bfloat16 of pointwise; bench/README.md has",
            whole_report("pointwise/avx2:bf16", ("avx2", "avx2:bf16")))
        bare = {**whole_report(), "context": {"tables": "avx2", "cpu": "a CPU"}}
        self.fails_and_touches_nothing("its context lacks date, read GB/s L2", bare)

    def test_without_matplotlib(self):
        (self.folder / "matplotlib.py").write_text("raise ImportError")
        self.fails_and_touches_nothing("matplotlib is missing", whole_report(), self.folder)

    def test_a_plot_that_fails(self):
        try:
            import matplotlib
        except ImportError:
            self.skipTest("needs python3-matplotlib")
        broken = whole_report()
        del broken["benchmarks"][-1]["time_ratio"]  # the last plot's
        done = self.make(broken)
        self.assertNotEqual(done.returncode, 0)
        self.assertEqual({p.name: p.read_text() for p in self.results.iterdir()}, self.old)
        self.assertEqual(self.make(whole_report()).returncode, 0)
        made = {p.name for p in self.results.iterdir()}
        self.assertEqual(made, {"kernels.md"} | {f"{plot}.{kind}" for kind in ("svg", "png")
                                                 for plot in ("roofline", "separable")})
        self.assertIn("# Kernels, measured", (self.results / "kernels.md").read_text())
        self.assertIn("<svg", (self.results / "roofline.svg").read_text())

        self.assertNotIn("float32", (self.results / "kernels.md").read_text())

    def test_a_page_for_each_element(self):
        try:
            import matplotlib
        except ImportError:
            self.skipTest("needs python3-matplotlib")
        self.assertEqual(self.make(whole_report()).returncode, 0)
        floats = (self.results / "kernels.md").read_text()
        (self.results / "kernels.md").unlink()
        done = self.make(whole_report("", ("avx2", "avx2:bf16")))
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual((self.results / "kernels.md").read_text(), floats)
        page = (self.results / "kernels-bf16.md").read_text()
        for text in ("# Kernels in bfloat16, measured", "## Against float32", "(roofline-bf16.svg)",
                     "(separable-bf16.svg)"):
            self.assertIn(text, page)
        self.assertIn("<svg", (self.results / "roofline-bf16.svg").read_text())
        before = {p.name: p.read_bytes() for p in self.results.iterdir() if "bf16" not in p.name}
        self.assertEqual(self.make(whole_report("", ("avx2:bf16",))).returncode, 0)
        self.assertEqual({p.name: p.read_bytes() for p in self.results.iterdir()
                          if "bf16" not in p.name}, before)
        self.assertNotIn("Against float32", (self.results / "kernels-bf16.md").read_text())

    def test_help_names_the_default(self):
        done = self.make("", "", "--help")
        self.assertEqual(done.returncode, 0)
        self.assertIn("(default: docs/results)", " ".join(done.stdout.split()))


if __name__ == "__main__":
    unittest.main()
