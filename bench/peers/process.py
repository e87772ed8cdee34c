"""Worker processes, this library's and the others', and talking to them."""

import json
import os
import select
import subprocess
import sys
import time

import environment
import machine
import runtimes

OURS = "mobilenet"
FLOATS = "mobilenet_f32"  # this library in float32, beside another type
OWN = (OURS, FLOATS)
DTYPES = {"f32": "float32", "bf16": "bfloat16", "f16": "float16", "int8": "int8"}
ANSWER_SECONDS = 120


def unit(dtype):
    """Of operations in a second, two for each multiply-add."""
    return "GOP/s" if dtype == "int8" else "GFLOP/s"


class WorkerFailed(Exception):
    pass


def title(runtime, dtype=None):
    """What tables call a runtime.  dtype: what it computes in, where that is to be said."""
    name = OURS if runtime in OWN else runtimes.load(runtime).NAME
    return f"{name}, {DTYPES[dtype]}" if dtype else name


def titles(results):
    """Of all runtimes in a comparison: those that did not compute in its type say in which they did."""
    found = {}
    for part in ("latency", "throughput", "busy", "cold"):
        for row in results[part]:
            for runtime, result in row["runtimes"].items():
                dtype = result.get("dtype", results["dtype"])
                found.setdefault(runtime, title(runtime, dtype if dtype != results["dtype"] else None))
    return found


class Worker:
    """A process that has loaded a model, pinned to as many CPUs as it has threads."""

    def __init__(self, runtime, mode, model, arguments, cpus):
        self.runtime, self.cpus = runtime, cpus
        logs = environment.BUILD / "logs"
        logs.mkdir(exist_ok=True)
        self.log = logs / f"{model.name}-{runtime}-{mode}.log"
        if runtime == FLOATS:
            command = [environment.RUNNER, mode, "f32", model.floats, model.input]
        elif runtime == OURS:
            command = [environment.RUNNER, mode, model.dtype, model.weights, model.input]
        else:
            command = [sys.executable, environment.HERE / "worker.py", runtime, mode, model.dtype,
                       model.folder]
        with machine.pinned(cpus), open(self.log, "w", encoding="utf-8") as log:
            self.started = time.monotonic()
            self.process = subprocess.Popen([*command, *map(str, arguments)], stderr=log, bufsize=0,
                                            stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.pending = b""

    @property
    def pid(self):
        return self.process.pid

    def ask(self, command):
        self.tell(command)
        return self.answer()

    def tell(self, command):
        try:
            self.process.stdin.write(command.encode() + b"\n")
        except BrokenPipeError:
            raise self._failure("ended") from None

    def answer(self, idle=None):
        """Its next line.  Calls idle, if there is one, over and over while waiting."""
        end = time.monotonic() + ANSWER_SECONDS
        while b"\n" not in self.pending:
            if time.monotonic() > end:
                raise self._failure(f"said nothing for {ANSWER_SECONDS} s")
            ready = select.select([self.process.stdout], [], [], 0 if idle else 1)[0]
            if ready:
                read = os.read(self.process.stdout.fileno(), 1 << 20)
                if not read:
                    raise self._failure("ended")
                self.pending += read
            elif idle:
                idle()
        line, _, self.pending = self.pending.partition(b"\n")
        return json.loads(line)

    def _failure(self, how):
        return WorkerFailed(f"{self.runtime}: {how}, see {self.log}")

    def close(self):
        self.process.stdin.close()
        self.process.stdout.close()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
