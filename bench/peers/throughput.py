"""Images per second over all cores."""

import machine
import process
import rounds

TURN_SECONDS = 2


def measure(model, number_of_rounds):
    count = len(machine.cpus())
    print(f"{model.name}, throughput of {count} CPUs", flush=True)
    with machine.measuring():
        workers = rounds.start("throughput", model, count)
    results = {worker.runtime: [] for worker in workers}
    try:
        for number in range(number_of_rounds):
            with machine.measuring():
                for worker in rounds.rotated(workers, number):
                    worker.ask("run 0.3")  # to warm up
                    answer, _ = rounds.turn(worker, TURN_SECONDS)
                    results[worker.runtime].append(answer["images"] / answer["seconds"])
    finally:
        for worker in workers:
            worker.close()
    row = {
        "model": model.name,
        "cpus": count,
        "runtimes": {worker.runtime: rounds.summary(results[worker.runtime]) | {
            "version": worker.version,
            "difference": worker.difference,
        } for worker in workers},
    }
    for runtime, result in row["runtimes"].items():
        print(f"  {process.title(runtime):14}{result['median']:8.1f} images/s", flush=True)
    return row
