"""What the tests of the `mobilenet` command share: running it and reading what it says."""

import os
import subprocess
import sys
import tempfile
import unittest

NETWORKS = [
    "mobilenet_v1",
    "mobilenet_v2",
    "mobilenet_v3_small",
    "mobilenet_v3_large",
    "mobilenet_v3_small_article",
]
FLOAT_ISAS = ["scalar", "sse", "avx2", "avx512", "neon"]  # those with float32
ISAS = [*FLOAT_ISAS, "avx512bf16", "neonbf16", "avxvnni", "avx512vnni", "avx512vbmi", "neondot"]

if len(sys.argv) < 2:
    sys.exit(f"usage: {sys.argv[0]} PROGRAM [unittest's arguments]")
PROGRAM = os.path.abspath(sys.argv[1])


def main():
    unittest.main(argv=[sys.argv[0], *sys.argv[2:]])


class Case(unittest.TestCase):
    """A test with an empty folder that it runs in."""

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.addCleanup(os.chdir, os.getcwd())
        os.chdir(folder.name)

    def run_command(self, *arguments, status=0, environment=None):
        """Standard output and error, as text, of a command that must exit with this status."""
        variables = {k: v for k, v in os.environ.items() if k != "MOBILENET_ISA"}
        variables.update(environment or {})
        done = subprocess.run(
            [PROGRAM, *arguments], capture_output=True, env=variables
        )
        output = done.stdout.decode("utf-8", "surrogateescape")
        errors = done.stderr.decode("utf-8", "surrogateescape")
        self.assertEqual(done.returncode, status, f"{arguments}: {output}{errors}")
        return output, errors

    def succeed(self, *arguments, **options):
        output, errors = self.run_command(*arguments, **options)
        self.assertEqual(errors, "")
        return output

    def fail_with(self, status, message, *arguments, **options):
        """The command's error, which must hold `message`; nothing on standard output."""
        output, errors = self.run_command(*arguments, status=status, **options)
        self.assertEqual(output, "")
        self.assertRegex(errors, r"^mobilenet")
        self.assertIn(message, errors)
        return errors

    def init(self, network="mobilenet_v2", path="m.safetensors", *more):
        """A small model, quick to run."""
        size = [] if network.endswith("article") else ["--width", "0.35"]
        self.succeed(
            "init", network, path, *size, "--resolution", "40x48", "--classes", "7", *more
        )
        return path
