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
    results = {worker.runtime: [] for worker in workers}
    disturbed = {worker.runtime: 0.0 for worker in workers}
    peaks = []
    try:
        for number in range(number_of_rounds):
            with machine.measuring():
                peaks.append(workers[0].ask("peak")["flops"])
                for worker in rounds.rotated(workers, number):
                    answer, others = rounds.turn(worker, TURN_SECONDS)
                    results[worker.runtime].append(statistics.median(answer["ms"]))
                    disturbed[worker.runtime] = max(disturbed[worker.runtime], others)
    finally:
        for worker in workers:
            worker.close()
    peak = statistics.median(peaks)
    row = {
        "model": model.name,
        "threads": threads,
        "multiply_adds": model.multiply_adds,
        "peak_gflops": peak / 1e9,
        "floor_ms": 1e3 * 2 * model.multiply_adds / (peak * threads),
        "runtimes": {worker.runtime: rounds.summary(results[worker.runtime]) | {
            "version": worker.version,
            "difference": worker.difference,
            "disturbed": disturbed[worker.runtime],
        } for worker in workers},
    }
    _print(row)
    return row


def _print(row):
    print(f"  floor {row['floor_ms']:.3f} ms at {row['peak_gflops']:.0f} GFLOP/s a core")
    for runtime, result in row["runtimes"].items():
        print(f"  {process.title(runtime):14}{result['median']:8.3f} ms, "
              f"{result['median'] / row['floor_ms']:.2f} x floor, spread "
              f"{100 * result['spread']:.0f} %", flush=True)
