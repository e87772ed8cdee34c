"""bench/peers/cite: pages have the figures of docs/results.  First those of this repository, then a page
with figures that are known."""

import json
import pathlib
import shutil
import subprocess
import sys
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]


def result(**times):
    return {name: {"median": time} for name, time in times.items()}


RESULTS = {
    "latency": [
        {"model": "mobilenet_v2", "threads": 1, "floor_ms": 2.0,
         "runtimes": result(mobilenet=3.0, litert=4.5, openvino=6.0)},
        {"model": "mobilenet_v3_small", "threads": 1, "floor_ms": 0.5,
         "runtimes": result(mobilenet=0.8, litert=2.0, openvino=0.6)},
        {"model": "mobilenet_v2", "threads": 2, "floor_ms": 1.0,
         "runtimes": result(mobilenet=2.0, litert=3.0)},
    ],
    "cold": [{"model": "mobilenet_v2", "weights_bytes": 100, "runtimes": {
        "mobilenet": {"process_ms": 9.04, "load_ms": 3, "first_ms": 4.5, "private_bytes": 150},
        "litert": {"process_ms": 90, "load_ms": 30, "first_ms": 45, "private_bytes": 225}}}],
}
# In bfloat16, where one of the others has but float32.
BFLOAT16 = {
    "dtype": "bf16",
    "latency": [
        {"model": name, "threads": 1, "floor_ms": 1.0, "runtimes": {
            "mobilenet": {"median": 2.0, "dtype": "bf16"},
            "mobilenet_f32": {"median": 1.0, "dtype": "f32"},
            "litert": {"median": 3.0, "dtype": "f32"},
            "openvino": {"median": time, "dtype": "bf16"}}}
        for name, time in (("mobilenet_v1", 2.5), ("mobilenet_v2", 4.0))],
}
PAGE_IN_BFLOAT16 = """<!-- cite bf16.json latency 1 -->
<!-- end -->
"""
EXPECTED_IN_BFLOAT16 = """<!-- cite bf16.json latency 1 -->
|  | v1 | v2 |
| --- | --- | --- |
| floor, ms | 1.00 | 1.00 |
| this library, ms | 2.00 | 2.00 |
| times the floor | 2.00 | 2.00 |
| fastest other, ms | 2.50 (OpenVINO) | 3.00 (LiteRT, float32) |
| ahead of it by | 1.25x | 1.50x |
| faster than its own float32 | 0.50x | 0.50x |
<!-- end -->
"""
PAGE = """Before.
<!-- cite made-up.json latency 1 -->
| old |
<!-- end -->
Between.
<!-- cite made-up.json latency 2 -->
<!-- end -->
<!-- cite made-up.json cold mobilenet_v2 -->
<!-- end -->
Behind.
"""
EXPECTED = """Before.
<!-- cite made-up.json latency 1 -->
|  | v2 | v3-small |
| --- | --- | --- |
| floor, ms | 2.00 | 0.50 |
| this library, ms | 3.00 | 0.80 |
| times the floor | 1.50 | 1.60 |
| fastest other, ms | 4.50 (LiteRT) | 0.60 (OpenVINO) |
| ahead of it by | 1.50x | 0.75x |
<!-- end -->
Between.
<!-- cite made-up.json latency 2 -->
|  | v2 |
| --- | --- |
| floor, ms | 1.00 |
| this library, ms | 2.00 |
| times the floor | 2.00 |
| fastest other, ms | 3.00 (LiteRT) |
| ahead of it by | 1.50x |
| faster than one thread | 1.50x |
<!-- end -->
<!-- cite made-up.json cold mobilenet_v2 -->
|  | process, ms | load and first run, ms | private memory / weights |
| --- | --- | --- | --- |
| this library | 9.0 | 7.5 | 1.50x |
| LiteRT | 90.0 | 75.0 | 2.25x |
<!-- end -->
Behind.
"""


def cite(root, *arguments):
    return subprocess.run([sys.executable, "-B", root / "bench/peers/cite", *arguments],
                          capture_output=True, text=True)


class Cite(unittest.TestCase):
    def test_the_pages_of_this_repository(self):
        done = cite(ROOT, "--check")
        self.assertEqual(done.returncode, 0, done.stderr)

    def test_a_page_with_known_figures(self):
        with tempfile.TemporaryDirectory() as folder:
            root = pathlib.Path(folder)
            shutil.copytree(ROOT / "bench/peers", root / "bench/peers")
            (root / "docs/results").mkdir(parents=True)
            (root / "docs/results/made-up.json").write_text(json.dumps(RESULTS))
            page = root / "page.md"
            page.write_text(PAGE)
            self.assertNotEqual(cite(root, "--check", page).returncode, 0)
            self.assertEqual(page.read_text(), PAGE)
            self.assertEqual(cite(root, page).returncode, 0)
            self.assertEqual(page.read_text(), EXPECTED)
            self.assertEqual(cite(root, "--check", page).returncode, 0)
            page.write_text(EXPECTED.replace("| 3.00 |", "| 2.90 |"))
            self.assertIn("not the figures of docs/results", cite(root, "--check", page).stderr)
            (root / "docs/results/bf16.json").write_text(json.dumps(BFLOAT16))
            page.write_text(PAGE_IN_BFLOAT16)
            self.assertEqual(cite(root, page).returncode, 0)
            self.assertEqual(page.read_text(), EXPECTED_IN_BFLOAT16)
            page.write_text("no figures\n")
            self.assertIn("cites nothing", cite(root, page).stderr)


if __name__ == "__main__":
    unittest.main()
