"""Another runtime's side of a comparison; runner/ is this library's.  Both take the same commands on
standard input, a line each, and answer with a line of JSON:

    worker.py RUNTIME latency DTYPE FOLDER OUTPUT THREADS      run SECONDS -> {"ms": [...]}
                                                               runs COUNT -> {"ms": [...]}
    worker.py RUNTIME throughput DTYPE FOLDER OUTPUT STREAMS   run SECONDS -> {"images", "seconds"}
    worker.py RUNTIME cold DTYPE FOLDER [pause]                {"begun"}, then {"loaded", "first"}

DTYPE is what to compute in: the first answer but of `cold` has what it is.  FOLDER has the runtime's
model and input.f32; the logits are written to OUTPUT.  Times of `cold` are
of the monotonic clock, which all processes share; it begins when everything is imported.  With
`pause` it waits for a line before it loads and for another after the result.
"""

import importlib.metadata
import json
import os
import pathlib
import sys
import time

import numpy

import runtimes

WARM_SECONDS, WARM_RUNS, RUNS_MIN = 0.15, 5, 20


def main():
    answers = _take_standard_output()
    name, mode, dtype, folder, *arguments = sys.argv[1:]
    runtime, folder = runtimes.load(name), pathlib.Path(folder)
    if mode == "cold":
        _cold(runtime, folder, dtype, answers, pause=bool(arguments))
        return
    output, threads = arguments[0], int(arguments[1])
    serve = {"latency": _latency, "throughput": _throughput}[mode]
    serve(runtime, folder, dtype, output, threads, answers)


def _take_standard_output():
    """Runtimes print notices there: from now on those go to standard error."""
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)
    return answers


def _answer(answers, **values):
    answers.write(json.dumps(values) + "\n")


def _image(folder):
    shape = json.loads((folder / "network.json").read_text())["input_shape"]
    return numpy.fromfile(folder / "input.f32", numpy.float32).reshape(shape)


def _ready(runtime, session, output, answers):
    session.output().astype(numpy.float32).tofile(output)
    _answer(answers, version=importlib.metadata.version(runtime.PACKAGE), dtype=session.dtype)


def _commands():
    """Each with its number."""
    for line in sys.stdin:
        command, number = line.split()
        yield command, float(number)


def _latency(runtime, folder, dtype, output, threads, answers):
    session = runtime.Session(folder, _image(folder), threads, dtype)
    session.run()
    _ready(runtime, session, output, answers)
    for command, number in _commands():
        _warm_up(session.run)
        seconds, least = (0, int(number)) if command == "runs" else (number, RUNS_MIN)
        _answer(answers, ms=_time_runs(session.run, seconds, least))


def _warm_up(run):
    start, runs = time.monotonic(), 0
    while runs < WARM_RUNS or time.monotonic() - start < WARM_SECONDS:
        run()
        runs += 1


def _time_runs(run, seconds, least):
    clock = time.perf_counter
    start = now = clock()
    milliseconds = []
    while len(milliseconds) < least or now - start < seconds:
        begin = now
        run()
        now = clock()
        milliseconds.append(1e3 * (now - begin))
    return milliseconds


def _throughput(runtime, folder, dtype, output, count, answers):
    streams = runtime.open_streams(folder, _image(folder), count, dtype)
    _ready(runtime, streams, output, answers)
    for _, seconds in _commands():
        start = time.monotonic()
        images = streams.run(seconds)
        _answer(answers, images=images, seconds=time.monotonic() - start)


def _cold(runtime, folder, dtype, answers, pause):
    image = _image(folder)
    _answer(answers, begun=time.monotonic())
    if pause:
        sys.stdin.readline()
    session = runtime.Session(folder, image, 1, dtype)
    loaded = time.monotonic()
    session.run()
    _answer(answers, loaded=loaded, first=time.monotonic())
    if pause:
        sys.stdin.readline()
    # Not the runtimes' destructors: the answer is given.
    answers.flush()
    os._exit(0)


if __name__ == "__main__":
    main()
