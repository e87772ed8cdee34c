"""Milliseconds for one image."""

import statistics

import machine
import process
import rounds

TURN_SECONDS = 0.6


def measure(model, threads, number_of_rounds):
    """A row: peak, floor, and a result for each runtime."""
    print(f"{model.name}, {threads} thread{'s' if threads > 1 else ''}", flush=True)
    with machine.measuring():
        workers = rounds.start("latency", model, threads)
    peaks, handovers = [], []

    def probe():
        peaks.append(workers[0].ask("peak")["flops"])
        if threads > 1:
            handovers.append(1e9 * workers[0].ask("handover")["seconds"])

    results = rounds.run(workers, number_of_rounds, _take, probe)
    peak = statistics.median(peaks)
    row = {
        "model": model.name,
        "threads": threads,
        "multiply_adds": model.multiply_adds,
        "peak_gflops": peak / 1e9,
        "floor_ms": 1e3 * 2 * model.multiply_adds / (peak * threads),
        "handover_ns": handovers,
        "runtimes": results,
    }
    _print(row, process.unit(model.dtype))
    return row


def _take(worker):
    answer, others = rounds.turn(worker, TURN_SECONDS)
    return statistics.median(answer["ms"]), others


def _list(numbers):
    return ", ".join(f"{number:.0f}" for number in numbers)


def _print(row, unit):
    print(f"  floor {row['floor_ms']:.3f} ms at {row['peak_gflops']:.0f} {unit} a core")
    if row["handover_ns"]:
        print(f"  a cache line from CPU to CPU: {_list(row['handover_ns'])} ns")
    for runtime, result in row["runtimes"].items():
        print(f"  {process.title(runtime, result['dtype']):24}{result['median']:8.3f} ms, "
              f"{result['median'] / row['floor_ms']:.2f} x floor, spread "
              f"{100 * result['spread']:.0f} %", flush=True)
