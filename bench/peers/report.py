"""Results as Markdown."""

import busy
import process

MIB = 2**20
INTEGERS = """
This library, OpenVINO, LiteRT and ONNX Runtime have the same integers and scales; NNCF chooses its own from
the float32 network, and ncnn its own for activations.  Images and logits are floats for all.  The column
that says float32 is of this library and the float32 network, in the same run; multiples of the floor are of
that of int8."""


def markdown(results, pictures):
    titles = process.titles(results)
    sections = [_head(results)]
    for threads in sorted({row["threads"] for row in results["latency"]}):
        rows = [row for row in results["latency"] if row["threads"] == threads]
        sections.append(_latency(rows, threads, results, titles))
    sections.append("\n".join(f"![{alt}]({path.name})" for path, alt in pictures))
    if results["throughput"]:
        sections.append(_throughput(results["throughput"], results["restricted"], titles))
    if results["busy"]:
        sections.append(_busy(results["busy"], results["rounds"], titles))
    if results["cold"]:
        sections.append(_cold(results["cold"], titles))
    sections.append(_agreement(results["latency"], titles))
    return "\n\n".join(sections) + "\n"


def _head(results):
    facts = dict(results["machine"])
    facts["Instruction set"] = f"{results['isa']} (this library)"
    if results["restricted"]:
        facts["Instruction set"] += "; restricted to it, while the others use all that the CPU has"
    versions = {runtime: result["version"] for row in results["latency"]
                for runtime, result in row["runtimes"].items() if runtime != process.FLOATS}
    facts["Versions"] = ", ".join(f"{process.title(runtime)} {version}"
                                  for runtime, version in versions.items())
    dtype = process.DTYPES[results["dtype"]]
    return (f"# MobileNet on this library and on other runtimes, {dtype}\n\n"
            "Written by `bench/peers/compare`; its [README](../../bench/peers/README.md) says how "
            "everything is measured.\nBatch 1, weights the same for all."
            + _types(results) + "\n\n"
            + _table(["", ""], [[heading, fact] for heading, fact in facts.items()]))


def _types(results):
    """What is in which type, where not all are in one."""
    if process.FLOATS not in _runtimes(results["latency"]):
        return ""
    if results["dtype"] == "int8":
        return INTEGERS
    return ("\nOpenVINO runs as it does when nothing is asked for.  Columns that say float32 are of this "
            "library, in the same run,\nand of runtimes that have nothing else for this CPU; multiples "
            "of the floor are of that of bfloat16.")


def _latency(rows, threads, results, titles):
    runtimes = _runtimes(rows)
    heads = ["network", "floor", *(titles[runtime] for runtime in runtimes)]
    if not results["restricted"]:
        heads.append("ahead of the fastest by")
    if process.FLOATS in runtimes:
        heads.append("faster than float32")
    scaling = _one_thread(results["latency"]) if threads > 1 else {}
    if scaling:
        heads.append("faster than 1 thread")
    lines = []
    for row in rows:
        cells = [f"`{row['model']}`", f"{row['floor_ms']:.2f}"]
        for runtime in runtimes:
            result = row["runtimes"].get(runtime)
            cells.append(f"{result['median']:.2f} ({result['median'] / row['floor_ms']:.2f}x)"
                         if result else "-")
        if not results["restricted"]:
            cells.append(_ahead(row, min, lambda best, ours: best / ours))
        if process.FLOATS in runtimes:
            cells.append(_over_floats(row, lambda floats, ours: floats / ours))
        if scaling:
            one = scaling.get(row["model"])
            cells.append(f"{one / row['runtimes'][process.OURS]['median']:.2f}x" if one else "-")
        lines.append(cells)
    peaks = [row["peak_gflops"] for row in rows]
    return (f"## {_threads(threads)}\n\n"
            f"Milliseconds (multiples of the floor), medians over interleaved rounds, "
            f"{results['rounds']} of them.\nThe floor is the network's multiply-adds at the peak of its cores, "
            f"{min(peaks):.0f}-{max(peaks):.0f} {process.unit(results['dtype'])} each, measured between "
            "the rounds.\n"
            + _handover(rows) + _quality(rows) + _table(heads, lines))


def _handover(rows):
    times = [time for row in rows for time in row["handover_ns"]]
    if not times:
        return ""
    return (f"A cache line took {min(times):.0f} to {max(times):.0f} ns from one CPU to another "
            "(measured once a round).\n")


def _quality(rows):
    results = [result for row in rows for result in row["runtimes"].values()]
    spread = max(result["spread"] for result in results)
    disturbed = max(result["disturbed"] for result in results)
    return (f"The largest spread between rounds is {100 * spread:.0f} %, the largest share of its "
            f"CPUs that others took {100 * disturbed:.0f} %.\n\n")


def _threads(threads):
    return "One thread" if threads == 1 else f"{threads} threads"


def _one_thread(latency):
    """Our times with one thread, by model."""
    return {row["model"]: row["runtimes"][process.OURS]["median"]
            for row in latency if row["threads"] == 1}


def _throughput(rows, restricted, titles):
    runtimes = _runtimes(rows)
    heads = ["network", *(titles[runtime] for runtime in runtimes)]
    if not restricted:
        heads.append("ahead of the best by")
    if process.FLOATS in runtimes:
        heads.append("faster than float32")
    lines = []
    for row in rows:
        cells = [f"`{row['model']}`"]
        for runtime in runtimes:
            result = row["runtimes"].get(runtime)
            cells.append(f"{result['median']:.0f}" if result else "-")
        if not restricted:
            cells.append(_ahead(row, max, lambda best, ours: ours / best))
        if process.FLOATS in runtimes:
            cells.append(_over_floats(row, lambda floats, ours: ours / floats))
        lines.append(cells)
    return (f"## Throughput, {rows[0]['cpus']} CPUs\n\nImages per second, medians.\n"
            + _quality(rows) + _table(heads, lines))


def _busy(rows, number_of_rounds, titles):
    """What more threads gain, and whether they are a cliff."""
    heads = ["network", "runtime", "threads", "mean", "90th percentile", "slowest", "of one thread's"]
    lines = []
    for row in rows:
        for runtime, of_threads in row["runtimes"].items():
            for threads, result in of_threads.items():
                times = [result[kind] for kind in busy.KINDS]
                one = of_threads.get("1")
                ratios = [f"{time / one[kind]:.2f}" for time, kind in zip(times, busy.KINDS)] \
                    if one and threads != "1" else ["-"]
                lines.append([f"`{row['model']}`", titles[runtime], threads,
                              *(f"{time:.1f}" for time in times), " / ".join(ratios)])
    return (f"## Busy machine\n\n{rows[0]['cpus']} CPUs, each with a process that never rests; "
            f"milliseconds of {rows[0]['runs']} runs, medians over {number_of_rounds} interleaved rounds.\n\n"
            + _table(heads, lines))


def _cold(rows, titles):
    heads = ["network", "runtime", "start", "load", "first run", "load and first run",
             "whole process", "resident", "private", "private / weights"]
    lines = []
    for row in rows:
        for runtime, result in row["runtimes"].items():
            times = [result["start_ms"], result["load_ms"], result["first_ms"],
                     result["load_ms"] + result["first_ms"], result["process_ms"]]
            memory = [result["resident_bytes"], result["private_bytes"]]
            lines.append([f"`{row['model']}`", titles[runtime],
                          *(f"{time:.1f}" for time in times),
                          *(f"{size / MIB:.1f}" for size in memory),
                          f"{result['private_bytes'] / row['weights_bytes']:.2f}x"])
    return ("## Cold start and memory\n\n"
            "One thread, files in the page cache; milliseconds and MiB.  *Start* is from the "
            "creation of the process until it could load a\nmodel: for this library, a C program, "
            "that is all there is before `main`; for the others it is Python and its imports,\n"
            "which says nothing of the runtime.  So compare this library's *whole process* with the "
            "others' *load and first run*.\nMemory is the peak over what the process had when it "
            "could load: *resident* with mapped files, *private* without.\n\n"
            + _table(heads, lines))


def _agreement(rows, titles):
    floats = process.FLOATS if process.FLOATS in _runtimes(rows) else process.OURS
    runtimes = [runtime for runtime in _runtimes(rows) if runtime != floats]
    lines = []
    for row in rows:
        cells = [f"`{row['model']}`", str(row["threads"])]
        for runtime in runtimes:
            result = row["runtimes"].get(runtime)
            cells.append(_difference(result) if result else "-")
        lines.append(cells)
    cosines = any("cosine" in result for row in rows for result in row["runtimes"].values())
    return ("## Agreement\n\nThe largest difference between a logit and this library's in float32, as a "
            "part of the logits' range"
            + ("; the cosine of both's logits" if cosines else "") + ".\n\n"
            + _table(["network", "threads", *(titles[runtime] for runtime in runtimes)], lines)
            + _equal(rows, titles))


def _difference(result):
    text = f"{result['difference']:.1e}"
    return text + (f"; {result['cosine']:.5f}" if "cosine" in result else "")


def _equal(rows, titles):
    """How many of the same integers' logits are the same bytes."""
    runtimes = [runtime for runtime in _runtimes(rows) if runtime != process.OURS
                and any("equal" in row["runtimes"].get(runtime, {}) for row in rows)]
    if not runtimes:
        return ""
    lines = []
    for row in rows:
        results = [row["runtimes"].get(runtime) for runtime in runtimes]
        lines.append([f"`{row['model']}`", str(row["threads"]),
                      *(f"{r['equal']} of {r['logits']}" if r else "-" for r in results)])
    return ("\n\nLogits of the same integers that are the same bytes as this library's.\n\n"
            + _table(["network", "threads", *(titles[runtime] for runtime in runtimes)], lines))


def _ahead(row, best_of, ratio):
    others = [result["median"] for runtime, result in row["runtimes"].items()
              if runtime not in process.OWN]
    if not others:
        return "-"
    return f"{ratio(best_of(others), row['runtimes'][process.OURS]['median']):.2f}x"


def _over_floats(row, ratio):
    floats, ours = (row["runtimes"][runtime]["median"] for runtime in (process.FLOATS, process.OURS))
    return f"{ratio(floats, ours):.2f}x"


def _runtimes(rows):
    """All that some row has, in the order of the first appearance."""
    return list(dict.fromkeys(runtime for row in rows for runtime in row["runtimes"]))


def _table(heads, lines):
    rows = [heads, ["---"] * len(heads), *lines]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in rows)
