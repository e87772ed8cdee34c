"""A look at what was imported: the library runs it on a seeded input, and where the source's own
runtime can be imported here, it runs the source on the same input."""
import io
import os
import select
import shutil
import signal
import subprocess
import sys
import tempfile
from dataclasses import dataclass

import numpy

from .errors import ImportFailure

_ROOT = os.path.realpath(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", ".."))
# Of the logits' range.  Float sources are within 1e-5 or so; a wrong epsilon, padding or activation
# is far beyond.
FLOAT_TOLERANCE = 1e-3
# Of logits that are only known by their probabilities, which are floats: networks that have not been
# trained give nearly the same one for every class.
HIDDEN_TOLERANCE = 1e-6
# Of the output's range, or of a probability, where the source computes with fewer bits.
ROUGH_TOLERANCE = 0.5
# Of the same, where the source's integers are kept: what probabilities of 8 bits and floats differ
# by; logits are equal.
INTEGER_TOLERANCE = 1 / 128
_RUNTIMES = ("tensorflow", "torch", "onnxruntime", "ai_edge_litert")
# A runtime that takes longer for two images does not come to an end.
_SECONDS = 600


@dataclass
class Reference:
    """The source's own runtime.  run(images): images as the source wants them but NHWC; returns
    what the source does, [images, classes], or [images, height, width, channels] where it ends with
    a feature map."""
    runtime: str
    run: object


def find_command():
    """The `mobilenet` command: MOBILENET_COMMAND, of the checkout's builds the newest, of PATH."""
    named = os.environ.get("MOBILENET_COMMAND")
    if named:
        return named
    built = []
    for folder in ("build", *(os.path.join("build", name) for name in _names("build"))):
        path = os.path.join(_ROOT, folder, "tools", "mobilenet")
        if os.access(path, os.X_OK) and os.path.isfile(path):
            built.append(path)
    built.sort(key=os.path.getmtime, reverse=True)
    # A build for another machine does not run here.
    return next(filter(_runs, built), None) or shutil.which("mobilenet")


def _runs(command):
    try:
        return subprocess.run([command, "info"], capture_output=True, check=False).returncode == 0
    except OSError:
        return False


def _names(folder):
    try:
        return sorted(os.listdir(os.path.join(_ROOT, folder)))
    except OSError:
        return []


def run(command, model, images, stage=None):
    """The library's logits for [N,height,width,3] images, or their values at a stage."""
    with tempfile.TemporaryDirectory(prefix="mobilenet-import-") as folder:
        source, result = os.path.join(folder, "x.npy"), os.path.join(folder, "y.npy")
        numpy.save(source, numpy.ascontiguousarray(images, numpy.float32))
        arguments = [command, "run", model, "--input", source, "--output", result]
        if stage:
            arguments = [command, "features", model, "--input", source, "--output", folder,
                         "--stage", stage]
            result = os.path.join(folder, f"{stage}.npy")
        done = subprocess.run(arguments, capture_output=True, text=True, check=False)
        if done.returncode:
            raise ImportFailure("the check failed: " + (done.stderr.strip() or
                                f"{command} {arguments[1]} exited with {done.returncode}"))
        return numpy.load(result)


def one_by_one(run, batch, imported):
    """A Reference's run by one that takes batches of this size alone: [batch,height,width,channels],
    and may return feature maps channels first."""
    def run_all(images):
        results = [run(numpy.repeat(image[None], batch, 0))[:1] for image in images]
        result = numpy.concatenate(results)
        if result.ndim == 4 and result.shape[1] == imported.channels \
                and result.shape[3] != imported.channels:
            result = result.transpose(0, 2, 3, 1)
        return result
    return run_all


def seeded_images(imported, count=2):
    """As the network reads them: [count,height,width,channels]."""
    generator = numpy.random.default_rng(2017)
    shape = (count, imported.height, imported.input_width, imported.input_channels)
    if imported.whole:
        pixels = generator.integers(0, 256, shape)
        return (pixels * imported.scale + imported.shift).astype(numpy.float32)
    return generator.uniform(-1, 1, shape).astype(numpy.float32)


def as_source_reads(imported, images):
    """The images, before what the source does to them."""
    images = (images - numpy.array(imported.shift)) / numpy.array(imported.scale)
    return numpy.round(images) if imported.whole else images.astype(numpy.float32)


def log_softmax(logits):
    logits = numpy.asarray(logits, numpy.float64)
    logits = logits - logits.max(axis=1, keepdims=True)
    return logits - numpy.log(numpy.exp(logits).sum(axis=1, keepdims=True))


def difference(final, exact, ours, theirs):
    """(largest difference, range) of logits where the source has them; of probabilities' logarithms
    where it has those; of probabilities themselves for a quantised source."""
    theirs = numpy.asarray(theirs, numpy.float64).reshape(ours.shape)
    ours = numpy.asarray(ours, numpy.float64)
    if final == "log_softmax":
        ours = log_softmax(ours)
    elif final == "softmax" and not exact:
        ours = numpy.exp(log_softmax(ours))
    elif final == "softmax":
        ours, theirs = log_softmax(ours), numpy.log(numpy.maximum(theirs, 1e-30))
        ours = numpy.maximum(ours, numpy.log(1e-30))
    elif final == "sigmoid" and not exact:
        ours = _sigmoid(ours)
    elif final == "sigmoid":
        # Beyond these a float has no digits left to compare.
        ours, theirs = (numpy.clip(p, 1e-30, 0.999) for p in (_sigmoid(ours), theirs))
        ours, theirs = (numpy.log(p / (1 - p)) for p in (ours, theirs))
    span = numpy.ptp(theirs)
    if theirs.shape[-1] == 1:
        span = max(span, numpy.abs(theirs).max())
    return numpy.abs(ours - theirs).max(), max(span, 1e-12)


def _sigmoid(x):
    return 1 / (1 + numpy.exp(-numpy.clip(x, -700, 700)))


def compare(imported, runtime, outputs, theirs):
    """Returns a sentence; raises where the source disagrees."""
    worst, span = difference(imported.final, imported.exact, outputs, theirs)
    within = worst <= FLOAT_TOLERANCE * span
    flat = not within and imported.final and worst <= HIDDEN_TOLERANCE
    probable = imported.final in ("softmax", "sigmoid")
    allowed = INTEGER_TOLERANCE if imported.rescaling and imported.exact_integers else ROUGH_TOLERANCE
    rough = worst > allowed * (1 if probable else span)
    if rough if not imported.exact else not within and not flat:
        raise ImportFailure(f"the check failed: {runtime} and the imported model differ by "
                            f"{worst:.2g}, the output's range is {span:.2g}")
    what = f"{worst / span:.1e} of the output's range"
    if probable and not imported.exact:
        what = "of a probability"
    elif flat:
        what = f"no more than a {imported.final}'s rounding: its classes are all alike"
    return f"compared with {runtime}: largest difference {worst:.2g}, {what}"


def _reference_outputs(imported, make_reference, images):
    """(runtime, what it computes), or why there is nothing to compare with."""
    if imported.resizes:
        return "the graph resizes images of any size itself"
    reference = make_reference()
    if isinstance(reference, str):
        return reference
    theirs = numpy.asarray(reference.run(as_source_reads(imported, images)))
    if not numpy.isfinite(theirs.astype(numpy.float64)).all():
        return f"{reference.runtime} computes values that are not finite"
    return reference.runtime, theirs


def _attempt(function):
    try:
        return function()
    except (Exception, SystemExit) as error:
        lines = str(error).strip().splitlines()
        return f"{type(error).__name__}: {lines[0]}" if lines else type(error).__name__


def apart(function):
    """The text, or the text and the array, that a function returns, computed in a process of its
    own; a text, why not, where it raises, crashes or does not end: a source's runtime may do all of
    these with a file."""
    if any(name in sys.modules for name in _RUNTIMES):
        return _attempt(function)  # threads of what is loaded already would be missing in a fork
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            silence = os.open(os.devnull, os.O_WRONLY)
            os.dup2(silence, 1)
            os.dup2(silence, 2)
            result = _attempt(function)
            text, array = (result, None) if isinstance(result, str) else result
            data = io.BytesIO()
            data.write(text.encode("utf-8", "replace") + b"\0")
            if array is not None:
                numpy.save(data, array, allow_pickle=False)
            with os.fdopen(writing, "wb") as pipe:
                pipe.write(data.getbuffer())
        finally:
            os._exit(0)
    os.close(writing)
    try:
        with os.fdopen(reading, "rb") as pipe:
            if not select.select([pipe], [], [], _SECONDS)[0]:
                os.kill(child, signal.SIGKILL)
                return f"it did not end in {_SECONDS} seconds"
            data = pipe.read()
    finally:
        _, status = os.waitpid(child, 0)
    if not data:
        return f"the source's runtime crashed (signal {os.WTERMSIG(status)})" \
            if os.WIFSIGNALED(status) else "the source's runtime ended the process"
    text, _, array = data.partition(b"\0")
    text = text.decode("utf-8", "replace")
    return (text, numpy.load(io.BytesIO(array), allow_pickle=False)) if array else text


def check(imported, model, make_reference):
    """Sentences about a written model; ImportFailure if it is wrong."""
    command = find_command()
    if command is None:
        return ["not checked: there is no mobilenet command in build/ or PATH"]
    images = seeded_images(imported)
    outputs = run(command, model, images, imported.stage)
    what = "features" if imported.stage else "logits"
    wanted = imported.channels if imported.stage else imported.classes
    if outputs.shape[0] != len(images) or outputs.shape[-1] != wanted \
            or not numpy.isfinite(outputs).all():
        raise ImportFailure(f"the check failed: {command} computes {list(outputs.shape)} {what}, "
                            "or some that are not finite")
    sentences = [f"checked: the library runs it on a seeded input, {what} from "
                 f"{outputs.min():.3g} to {outputs.max():.3g}"]
    found = apart(lambda: _reference_outputs(imported, make_reference, images))
    if isinstance(found, str):
        return [*sentences, f"not compared: {found}"]
    runtime, theirs = found
    if theirs.size != outputs.size:
        return [*sentences, f"not compared: {runtime} computes {list(theirs.shape)}, the library "
                            f"{list(outputs.shape)}"]
    return [*sentences, compare(imported, runtime, outputs, theirs)]

