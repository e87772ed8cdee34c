"""From nothing to the first result, on one thread, with the model file in the page cache; and the
memory that it takes."""

import pathlib
import statistics
import sys

import machine
import process

PHASES = ("process_ms", "start_ms", "load_ms", "first_ms")


def measure(model, number_of_rounds):
    print(f"{model.name}, cold", flush=True)
    cpus = machine.cpus_for(1)
    runtimes = model.runtimes
    times = {runtime: [] for runtime in runtimes}
    with machine.measuring():
        memory = {runtime: _attempt(_memory, runtime, model, cpus) for runtime in runtimes}
        for _ in range(number_of_rounds):
            for runtime in runtimes:
                times[runtime].append(_attempt(_times, runtime, model, cpus))
    weights = model.weights.stat().st_size
    row = {"model": model.name, "weights_bytes": weights, "runtimes": {}}
    for runtime in runtimes:
        if memory[runtime] is None or None in times[runtime]:
            continue
        medians = {phase: statistics.median(t[phase] for t in times[runtime]) for phase in PHASES}
        row["runtimes"][runtime] = medians | memory[runtime]
        print(f"  {runtime:14}" + ", ".join(
            f"{phase.removesuffix('_ms')} {medians[phase]:.1f} ms" for phase in PHASES) + ", " +
            ", ".join(f"{key.removesuffix('_bytes')} {value / 2**20:.1f} MiB"
                      for key, value in memory[runtime].items()), flush=True)
    return row


def _attempt(what, runtime, model, cpus):
    try:
        return what(runtime, model, cpus)
    except process.WorkerFailed as failure:
        print(f"compare: left out: {failure}", file=sys.stderr)
        return None


def _times(runtime, model, cpus):
    """Of one process: what happens before it can load (`start`: the operating system's work, and for
    Python its own start and imports), loading, the first run, and their sum."""
    worker = process.Worker(runtime, "cold", model, [], cpus)
    try:
        begun = worker.answer()["begun"]
        done = worker.answer()
    finally:
        worker.close()
    return {
        "process_ms": 1e3 * (done["first"] - worker.started),
        "start_ms": 1e3 * (begun - worker.started),
        "load_ms": 1e3 * (done["loaded"] - begun),
        "first_ms": 1e3 * (done["first"] - done["loaded"]),
    }


def _memory(runtime, model, cpus):
    """Peaks over what the process had before it loaded."""
    worker = process.Worker(runtime, "cold", model, ["pause"], cpus)
    try:
        worker.answer()
        before = _status(worker.pid)
        # From here on VmHWM is the peak since now.
        pathlib.Path(f"/proc/{worker.pid}/clear_refs").write_text("5")
        private = [before["RssAnon"]]
        worker.tell("go")
        worker.answer(idle=lambda: private.append(_status(worker.pid)["RssAnon"]))
        after = _status(worker.pid)
        private.append(after["RssAnon"])
        worker.tell("end")
    finally:
        worker.close()
    return {"resident_bytes": after["VmHWM"] - before["VmRSS"],
            "private_bytes": max(private) - before["RssAnon"]}


def _status(pid):
    """Memory of a process in bytes."""
    fields = {}
    for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines():
        key, _, value = line.partition(":")
        if value.endswith(" kB"):
            fields[key] = int(value.split()[0]) * 1024
    return fields
