"""The steps of a comparison."""

import importlib.metadata
import json
import os
import pathlib
import sys
import tempfile

import busy
import chart
import cold
import latency
import machine
import models
import process
import report
import rounds
import runtimes
import throughput


def run(chosen, options):
    """The process's exit status."""
    try:
        options.out.mkdir(parents=True, exist_ok=True)
    except OSError as error:  # before minutes of measuring
        print(f"compare: --out: {error}", file=sys.stderr)
        return 1
    peers = [peer for peer in options.runtimes or runtimes.names(options.dtype)
             if _is_installed(peer)]
    results = {"dtype": options.dtype, "isa": None, "restricted": options.isa is not None,
               "rounds": options.rounds,
               "latency": [], "throughput": [], "busy": [], "cold": []}
    try:
        for name, source in chosen:
            model = models.Model(name, source, peers, options.dtype)
            results["isa"] = model.isa
            for threads in options.threads:
                results["latency"].append(latency.measure(model, threads, options.rounds))
            if options.throughput:
                results["throughput"].append(throughput.measure(model, options.rounds))
            if options.busy:
                results["busy"].append(busy.measure(model, options.rounds))
            if options.cold:
                results["cold"].append(cold.measure(model, options.rounds))
    except (process.WorkerFailed, rounds.Disagreement) as error:
        print(f"compare: {error}", file=sys.stderr)
        return 1
    results["machine"] = machine.describe()
    _write(results, options)
    return 0


def _is_installed(peer):
    try:
        runtimes.load(peer)
        return True
    except (ImportError, OSError, importlib.metadata.PackageNotFoundError) as error:
        print(f"compare: {peer} is left out: {error}", file=sys.stderr)
        return False


def _write(results, options):
    """All files, or none where something goes wrong."""
    stem = "-".join(["peers", results["dtype"], machine.slug(), results["isa"]])
    with tempfile.TemporaryDirectory(prefix=".compare-", dir=options.out) as made:
        made = pathlib.Path(made)
        pictures = chart.draw(results, made / stem)
        (made / (stem + ".json")).write_text(json.dumps(results, indent=1) + "\n")
        (made / (stem + ".md")).write_text(report.markdown(results, pictures))
        for path in made.iterdir():
            os.replace(path, options.out / path.name)
    print(f"wrote {options.out / stem}.md")
