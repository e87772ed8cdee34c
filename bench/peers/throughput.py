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
    results = rounds.run(workers, number_of_rounds, _take)
    row = {"model": model.name, "cpus": count, "runtimes": results}
    for runtime, result in row["runtimes"].items():
        print(f"  {process.title(runtime, result['dtype']):24}{result['median']:8.1f} images/s", flush=True)
    return row


def _take(worker):
    worker.ask("run 0.3")  # to warm up
    answer, others = rounds.turn(worker, TURN_SECONDS)
    return answer["images"] / answer["seconds"], others
