#!/usr/bin/python3
"""Every command, with one call after the other failing: memory, files, threads.

usage: commands.py MOBILENET-WITH-FAULTS [unittest's arguments]

A run must end with the status that it has without the fault and the same output, or say what went
wrong, with a name, and leave behind nothing but whole files.  MOBILENET_TESTS=long: every call, or
every second or fourth one of slow commands; else some of each command, MOBILENET_TESTS=brief: fewer."""

import json
import os
import re
import resource
import signal
import struct
import subprocess
import sys
import unittest

import numpy

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "tools"))
from case import PROGRAM, Case, main  # noqa: E402
from models import relabel  # noqa: E402
from tables import write_table  # noqa: E402

CORPUS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "fuzz", "corpus", "image")
TABLE = {
    "stem": {"channels": 8, "activation": "relu"},
    "rows": [
        {"kernel": 3, "expand": 16, "channels": 8, "activation": "relu6"},
        {"kernel": 5, "expand": 24, "squeeze": 8, "channels": 16, "strides": [2, 2],
         "activation": "hard_swish"},
    ],
    "head": {"channels": 32, "activation": "hard_swish"},
}  # fmt: skip
LABELS = ["ant", "bee", "cat", "dog", "elk", "fox", "gnu"]
ONCE, ONWARD = 0, 1
RUNS = {"brief": 6, "long": 2500}.get(os.environ.get("MOBILENET_TESTS"), 24)
struck_names, faults = {}, 0


class Server:
    """The program, run again and again, with its output in files."""

    def __init__(self, *arguments):
        self.output, self.errors = open("stdout", "a+b"), open("stderr", "a+b")
        requests, self.requests = os.pipe()
        self.answers, answers = os.pipe()
        variables = {**os.environ, "MOBILENET_FAULTS": f"{requests} {answers}", "MOBILENET_ISA": "scalar"}
        self.process = subprocess.Popen(
            [PROGRAM, *arguments], stdin=subprocess.DEVNULL, stdout=self.output, stderr=self.errors,
            env=variables, pass_fds=(requests, answers),
        )  # fmt: skip
        os.close(requests)
        os.close(answers)
        self.answers = os.fdopen(self.answers)

    def run(self, nth, extent=ONCE):
        """The status, as a shell has it, calls, the one that failed, standard output and error."""
        for file in self.output, self.errors:
            file.truncate(0)
        os.write(self.requests, f"{nth} {extent}\n".encode())
        status, calls, name = self.answers.readline().rstrip("\n").split(" ")
        texts = []
        for file in self.output, self.errors:
            file.seek(0)
            texts.append(file.read().decode())
        return os.waitstatus_to_exitcode(int(status)), int(calls), name, *texts

    def close(self):
        os.close(self.requests)
        self.process.wait()
        self.answers.close()
        self.output.close()
        self.errors.close()


def take(image, path):
    """One of the fuzzer's, without the byte that says how to read it."""
    with open(os.path.join(CORPUS, image), "rb") as file:
        contents = file.read()
    with open(path, "wb") as file:
        file.write(contents[1:])


def steady(text):
    """Without what differs from run to run: times, and what is in their order."""
    return sorted(re.sub(r" *[-+]?\d+\.\d+|\d+ ms", " #", text).splitlines())


def without_progress(errors):
    return re.sub(r"\d+ of \d+ images, \d+ %\n", "", errors)


def is_whole(path, contents, good, old):
    """Whether a file is what it should be, or what was there before."""
    if contents in (good, old):
        return True
    if path.endswith(".svg"):  # of times
        return contents.startswith(b"<svg") and contents.endswith(b"</svg>\n")
    # An image or a folder that cannot be read is left out, and reported.
    if path == "e.npy":
        return len(numpy.load(path)) == 1
    if path == "e.csv":
        return contents.startswith(b"file,class,") and contents.endswith(b"\n")
    if path == "q.safetensors":
        (length,) = struct.unpack("<Q", contents[:8])
        header = json.loads(contents[8 : 8 + length])
        ends = [tensor["data_offsets"][1] for name, tensor in header.items() if name[0] != "_"]
        return len(contents) == 8 + length + max(ends)
    return path == "e.txt" and contents in (b"a.jpg\n", b"b.png\n")


class Commands(Case):
    def setUp(self):
        super().setUp()
        write_table("m.safetensors", TABLE)
        relabel("m.safetensors", {"labels": json.dumps(LABELS), "format": "mobilenet/1"})
        numpy.save("x.npy", numpy.random.default_rng(2).normal(0, 1, (2, 40, 48, 3)).astype("f4"))
        os.mkdir("data")
        for label, image in [("ant", "jpeg-rgb"), ("cat", "png-interlaced"), ("dog", "bmp-rgb")]:
            os.mkdir(f"data/{label}")
            take(image, f"data/{label}/{image}.{image[:3].replace('jpe', 'jpg')}")
        take("jpeg-progressive", "a.jpg")
        take("png-palette", "b.png")

    def files(self):
        """{path: contents} of all that there is but the output."""
        found = {}
        for folder, _, names in os.walk("."):
            for name in names:
                path = os.path.relpath(os.path.join(folder, name))
                if path not in ("stdout", "stderr"):
                    with open(path, "rb") as file:
                        found[path] = file.read()
        return found

    def forget(self, before):
        """Removes what is new; what was there must be unchanged."""
        after = self.files()
        for path in after.keys() - before.keys():
            os.remove(path)
        for path, contents in before.items():
            if after.get(path) != contents:
                with open(path, "wb") as file:
                    file.write(contents)
        return after

    def check(self, run, what, before, good):
        status, _, name, output, errors = run
        good_status, _, _, good_output, good_errors = good[0]
        self.assertIn(status, (0, 1), f"{what}: {errors}")
        errors, good_errors = without_progress(errors), without_progress(good_errors)
        files = self.files()
        for path, contents in files.items():
            self.assertIn(path, good[1], f"{what}: left behind")
            self.assertTrue(
                is_whole(path, contents, good[1][path], before.get(path)),
                f"{what}: {path} is half written",
            )
        self.forget(before)
        if status == good_status and errors == good_errors:
            self.assertEqual(steady(output), steady(good_output), what)
            self.assertEqual(files.keys(), good[1].keys(), what)
        else:
            if "q.safetensors" not in files:  # of the images that could be read
                self.assertEqual(status, 1, f"{what}: {errors}")
            self.assertRegex(errors, r"\A(mobilenet: [^\n]+\n)+\Z", what)
            self.assertRegex(errors, r"(?m)^mobilenet: ([^\n]+: [^\n]+|no memory (for|to) [^\n]+)$", what)
        global faults
        faults += 1
        struck_names[name] = struck_names.get(name, 0) + 1

    def sweep(self, *arguments, old=(), slow=1):
        """old: files that are there before, and are replaced; slow: with fewer calls."""
        for path in old:
            with open(path, "wb") as file:
                file.write(b"old")
        before = self.files()
        server = Server(*arguments)
        self.addCleanup(server.close)
        good = server.run(0)
        self.assertEqual(good[0], 0, good[4])
        good = good, self.forget(before)
        calls = good[0][1]
        self.assertGreater(calls, 20, "calls are not counted")
        step = max(1, calls * slow // RUNS)
        for nth in range(1 + len(arguments) % step, calls + 1, step):
            for extent in (ONCE, ONWARD):
                run = server.run(nth, extent)
                what = f"{' '.join(arguments)}: call {nth}, {run[2]}, {'onward' if extent else 'once'}"
                self.check(run, what, before, good)

    def test_classify(self):
        self.sweep("classify", "m.safetensors", "a.jpg", "b.png", "data/dog/bmp-rgb.bmp")

    def test_classify_json(self):
        self.sweep("classify", "m.safetensors", "a.jpg", "b.png", "--json", "--threads", "2")

    def test_run(self):
        self.sweep("run", "m.safetensors", "-i", "x.npy", "-o", "y.npy", old=["y.npy"])

    def test_features(self):
        os.mkdir("f")
        self.sweep("features", "m.safetensors", "-i", "x.npy", "-o", "f", "--stage", "pool",
                   "--stage", "block0", old=["f/pool.npy"])  # fmt: skip

    def test_embed(self):
        self.sweep("embed", "m.safetensors", "a.jpg", "b.png", "-o", "e.npy")

    def test_evaluate(self):
        self.sweep("evaluate", "m.safetensors", "data", "--csv", "e.csv", "--threads", "2")

    def test_evaluate_json(self):
        self.sweep("evaluate", "m.safetensors", "data", "--json", "--threads", "1")

    def test_count(self):
        self.sweep("count", "mobilenet_v1", "--compare", "standard", "--json")

    def test_plan(self):
        self.sweep("plan", "m.safetensors", "--json")

    def test_profile(self):
        self.sweep("profile", "m.safetensors", "--rounds", "2", "--plot", "p.svg", slow=8)

    def test_info(self):
        self.sweep("info", "m.safetensors", "--json")

    def test_machine(self):
        self.sweep("info")

    def test_init(self):
        self.sweep("init", "mobilenet_v1", "i.safetensors", "--width", "0.1", "--resolution", "32",
                   "--classes", "3", old=["i.safetensors"])  # fmt: skip

    def test_quantize(self):
        self.sweep("quantize", "m.safetensors", "q.safetensors", "--calibrate", "data",
                   "--method", "minmax", "--plot", "q.svg", "--threads", "1", slow=4)  # fmt: skip

    # ---- Full disks --------------------------------------------------------------------------

    OUTPUTS = [
        ["run", "m.safetensors", "-i", "x.npy", "-o", "OUT.npy"],
        ["embed", "m.safetensors", "a.jpg", "-o", "OUT.npy"],
        ["evaluate", "m.safetensors", "data", "--csv", "OUT.csv"],
        ["profile", "m.safetensors", "--rounds", "1", "--plot", "OUT.svg"],
        ["init", "mobilenet_v1", "OUT.safetensors", "--width", "0.1"],
        ["quantize", "m.safetensors", "OUT.safetensors", "--calibrate", "data", "--method", "minmax"],
    ]

    def fail_to_write(self, arguments, path, **options):
        done = subprocess.run([PROGRAM, *arguments], capture_output=True, **options)
        errors = done.stderr.decode()
        self.assertEqual(done.returncode, 1, f"{arguments}: {errors}")
        self.assertRegex(errors, rf"(?m)^mobilenet: {path}: [A-Z]", arguments)

    def test_a_disk_that_is_full_in_the_middle(self):
        """By a limit on the size of files: what was there stays, and nothing else does."""

        def limit():
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
            resource.setrlimit(resource.RLIMIT_FSIZE, (60, 60))

        for arguments in self.OUTPUTS:
            (path,) = [word for word in arguments if word.startswith("OUT")]
            for old in None, b"old":
                if old:
                    with open(path, "wb") as file:
                        file.write(old)
                before = self.files()
                self.fail_to_write(arguments, path, preexec_fn=limit)
                self.assertEqual(self.files(), before, arguments)
            os.remove(path)

    @unittest.skipUnless(os.path.exists("/dev/full"), "no /dev/full")
    def test_a_full_device(self):
        for arguments in self.OUTPUTS:
            (path,) = [word for word in arguments if word.startswith("OUT")]
            os.symlink("/dev/full", path)
            self.fail_to_write(arguments, path)
            self.assertTrue(os.path.islink(path))
            os.remove(path)

    @classmethod
    def tearDownClass(cls):
        print(f"{faults} faults:", ", ".join(f"{n} {c}" for n, c in sorted(struck_names.items())))


if __name__ == "__main__":
    main()
