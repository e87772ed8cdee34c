"""Interleaved rounds: every runtime has its turn in every round, so that what changes on the machine
meanwhile changes for all."""

import statistics
import sys
import time

import numpy

import agreement
import machine
import process
import runtimes

# A turn that others disturbed more than this is repeated, so many times at most.
DISTURBED, TRIES = 0.05, 3
# For thread pools that spin for a while before they sleep.
REST_SECONDS = 0.05


class Disagreement(Exception):
    pass


def start(mode, model, threads, cpus=None):
    """Workers for all runtimes, agreed on the logits: ours first.  cpus: as many as there are threads,
    unless they are given."""
    workers = []
    for runtime in model.runtimes:
        output = model.output(runtime, mode)
        worker = process.Worker(runtime, mode, model, [output, threads],
                                cpus or machine.cpus_for(threads))
        try:
            answer = worker.answer()
        except process.WorkerFailed as failure:
            worker.close()
            if runtime in process.OWN:
                raise
            print(f"compare: left out: {failure}", file=sys.stderr)
            continue
        worker.version, worker.dtype = answer["version"], answer["dtype"]
        workers.append(worker)
    floats = process.FLOATS if process.FLOATS in model.runtimes else process.OURS
    for worker in workers:
        worker.agreement = _agreement(model, mode, floats, worker.runtime)
    _check(model, workers)
    return workers


def _agreement(model, mode, floats, runtime):
    """Of its logits with this library's in float32; and where they come from the same integers as this
    library's, whether they are the same."""
    logits = agreement.read(model.output(runtime, mode))
    found = {"difference": agreement.difference(agreement.read(model.output(floats, mode)), logits)}
    if model.integers and numpy.isfinite(found["difference"]):
        found["cosine"] = agreement.cosine(agreement.read(model.output(floats, mode)), logits)
        if runtime in runtimes.SAME_INTEGERS:
            ours = agreement.read(model.output(process.OURS, mode))
            found["equal"] = agreement.equal(model.integers.logits, ours, logits)
            found["logits"] = len(ours)
    return found


def _check(model, workers):
    text = ", ".join(f"{process.title(w.runtime, w.dtype)} {w.agreement['difference']:.1e}"
                     for w in workers)
    print(f"  largest difference, of the logits' range: {text}", flush=True)
    wrong = [w for w in workers
             if not w.agreement["difference"] <= agreement.TOLERANCE[w.dtype]]
    if wrong:
        for worker in workers:
            worker.close()
        raise Disagreement(f"{model.name}: " + ", ".join(
            f"{process.title(w.runtime, w.dtype)} differs by {w.agreement['difference']:.1e} of the range, "
            f"more than {agreement.TOLERANCE[w.dtype]:g}" for w in wrong))


def run(workers, count, take, before=lambda: None):
    """A result for each runtime, of take(worker) in each round: a figure, and how much others used
    the CPUs meanwhile.  before() precedes each round.  A runtime that fails is left out.  Ends the
    workers."""
    turns = {worker.runtime: [] for worker in workers}
    try:
        for number in range(count):
            with machine.measuring():
                before()
                for worker in rotated(workers, number):
                    if worker.runtime in turns:
                        _take(worker, take, turns)
    finally:
        for worker in workers:
            worker.close()
    return {worker.runtime: summary(turns[worker.runtime]) | {
        "version": worker.version,
        "dtype": worker.dtype,
        **worker.agreement,
    } for worker in workers if worker.runtime in turns}


def _take(worker, take, turns):
    try:
        turns[worker.runtime].append(take(worker))
    except process.WorkerFailed as failure:
        if worker.runtime in process.OWN:
            raise
        print(f"compare: left out: {failure}", file=sys.stderr)
        del turns[worker.runtime]


def turn(worker, seconds):
    """The least disturbed answer of a few, and how much others used its CPUs meanwhile."""
    best = None
    for _ in range(TRIES):
        time.sleep(REST_SECONDS)
        load = machine.Load(worker.cpus, worker.pid)
        answer = worker.ask(f"run {seconds}")
        others = load.of_others()
        if best is None or others < best[1]:
            best = (answer, others)
        if others <= DISTURBED:
            break
    return best


def rotated(items, by):
    by %= len(items)
    return items[by:] + items[:by]


def summary(turns):
    """Median over the rounds, how far they spread around it, and the worst disturbance."""
    values = [value for value, _ in turns]
    median = statistics.median(values)
    return {"median": median, "spread": (max(values) - min(values)) / median, "rounds": values,
            "disturbed": max(others for _, others in turns)}
