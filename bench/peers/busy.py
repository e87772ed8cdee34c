"""Milliseconds for one image on CPUs that have other things to do, too: a loop on each."""

import contextlib
import statistics
import subprocess
import sys

import machine
import process
import rounds

RUNS = 300
KINDS = ("mean_ms", "p90_ms", "slowest_ms")


def measure(model, number_of_rounds):
    """A row: for each runtime and number of threads, medians over the rounds of what is in KINDS."""
    cpus = machine.cpus()
    counts = sorted({1, len(cpus)})
    print(f"{model.name}, {len(cpus)} CPUs with a busy loop each", flush=True)
    row = {"model": model.name, "cpus": len(cpus), "runs": RUNS, "runtimes": {}}
    workers = {}
    try:
        with machine.measuring():
            for threads in counts:
                for worker in rounds.start("latency", model, threads, cpus):
                    workers[worker.runtime, threads] = worker
        turns = {key: [] for key in workers}
        for number in range(number_of_rounds):
            for key in rounds.rotated(list(workers), number):
                with machine.measuring(), busy(cpus):
                    turns[key].append(_take(workers[key]))
    finally:
        for worker in workers.values():
            worker.close()
    for (runtime, threads), taken in turns.items():
        result = {kind: statistics.median(turn[kind] for turn in taken) for kind in KINDS}
        row["runtimes"].setdefault(runtime, {})[str(threads)] = result | {"rounds": taken}
        print(f"  {runtime:14}{threads} thread{'s' if threads > 1 else ' '} " + ", ".join(
            f"{kind.removesuffix('_ms')} {result[kind]:.2f}" for kind in KINDS), flush=True)
    return row


def _take(worker):
    milliseconds = sorted(worker.ask(f"runs {RUNS}")["ms"])
    return {
        "mean_ms": statistics.mean(milliseconds),
        "p90_ms": milliseconds[int(0.9 * len(milliseconds))],
        "slowest_ms": milliseconds[-1],
    }


@contextlib.contextmanager
def busy(cpus):
    """A process on each that never rests."""
    loops = []
    try:
        for cpu in cpus:
            with machine.pinned({cpu}):
                loops.append(subprocess.Popen([sys.executable, "-c", "while True: pass"]))
        yield
    finally:
        for loop in loops:
            loop.kill()
            loop.wait()
