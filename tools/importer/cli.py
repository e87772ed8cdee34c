"""The command line of mobilenet-import."""
import argparse
import json
import math
import os
import stat
import sys

import numpy

from . import check, file_kinds, labels, safetensors
from .errors import ImportFailure, one_line
from .sources import SOURCES

NETWORKS = ("mobilenet_v1", "mobilenet_v2", "mobilenet_v3_small", "mobilenet_v3_large",
            "mobilenet_v3_small_article")

_MAX_SOURCE = 1 << 30


def _number(convert, low, high):
    def parse(text):
        value = convert(text)
        if not low <= value <= high:
            raise argparse.ArgumentTypeError(f"{text} is not from {low} to {high}")
        return value
    parse.__name__ = "number"
    return parse


def _colour(low, high=1000):
    def parse(text):
        values = [_number(float, low, high)(part) for part in text.split(",")]
        if len(values) > 4:
            raise argparse.ArgumentTypeError("expected a number per channel: R,G,B")
        return values
    parse.__name__ = "number per channel, R,G,B"
    return parse


def _resolution(text):
    sizes = [_number(int, 32, 1024)(part) for part in text.split("x")]
    if len(sizes) > 2:
        raise argparse.ArgumentTypeError("expected R or HEIGHTxWIDTH")
    return sizes[0], sizes[-1]


_resolution.__name__ = "resolution"


def _parser():
    parser = argparse.ArgumentParser(
        prog="mobilenet-import",
        description="Writes a mobilenet model file from a trained network of another framework.",
        epilog="SOURCE: a MobileNet v1, v2 or v3 of PyTorch (.pth, .safetensors; torchvision's, "
               "timm's, transformers', or others'), Keras (.keras, .h5, .weights.h5), TensorFlow "
               "Lite (.tflite) or ONNX (.onnx), of any width, with any classifier or none; or a "
               "model file, whose labels, preprocessing or output the options change.  See "
               "docs/importing.md.")
    parser.add_argument("source", metavar="SOURCE")
    parser.add_argument("output", metavar="OUT.safetensors")
    parser.add_argument("--network", choices=NETWORKS, help="fail if it is another network (default: any)")
    parser.add_argument("--labels", metavar="FILE",
                        help="class names: text with a line for each, or JSON (a list, "
                             "{\"0\": name}, {name: 0}, id2label, class_to_idx...; default: the "
                             "source's, or none)")
    parser.add_argument("--resolution", metavar="R", type=_resolution,
                        help="input size it was trained at: R or HEIGHTxWIDTH (default: what the "
                             "source says, else 224)")
    parser.add_argument("--resize", metavar="N", type=_number(int, 0, 65536),
                        help="shorter side before the centre crop; 0: straight to the resolution "
                             "(default: what the source says; else 256 at 224 and in proportion at "
                             "others for PyTorch's, 0 for the rest)")
    parser.add_argument("--crop-ratio", metavar="P", type=_number(float, 0.1, 1),
                        help="instead of --resize: the part of the resized image that is cropped "
                             "(default: what --resize says)")
    parser.add_argument("--interpolation", choices=("bilinear", "bicubic", "nearest", "area"),
                        help="how images are resized (default: what the source says; else bicubic "
                             "for timm's, bilinear for the rest)")
    parser.add_argument("--resampling", choices=("pillow", "tensorflow"),
                        help="whose arithmetic resizes: Pillow's, antialiased, or TensorFlow's, "
                             "which is not (default: what the source says; else pillow)")
    parser.add_argument("--fit", choices=("crop", "squash", "letterbox", "cover"),
                        help="what becomes of images of another aspect ratio (default: what the "
                             "source says; else crop)")
    parser.add_argument("--fill", metavar="R,G,B", type=_colour(0, 255),
                        help="what is around an image that does not fill the input, 0 to 255 "
                             "(default: what the source says; else black)")
    parser.add_argument("--mean", metavar="R,G,B", type=_colour(-1000),
                        help="input = (pixel / 255 - mean) / std (default: what the source says; "
                             "else ImageNet's for PyTorch's, 0.5,0.5,0.5 for TensorFlow's)")
    parser.add_argument("--std", metavar="R,G,B", type=_colour(1e-6),
                        help="the same (default: as for --mean)")
    parser.add_argument("--padding", choices=("same", "symmetric", "trailing"),
                        help="where the source does not say (default: same for Keras's, "
                             "transformers' and the tf_... networks of timm, trailing for Keras's "
                             "v1, symmetric for the rest)")
    parser.add_argument("--epsilon", metavar="E", type=_number(float, 1e-12, 1),
                        help="of batch norm, where the source does not say (default: that of the "
                             "framework's own networks, 1e-5 or 1e-3)")
    parser.add_argument("--hidden-activation", choices=("none", "relu", "relu6", "hard_swish"),
                        help="between fully connected layers, where the source does not say "
                             "(default relu; hard_swish where they have the names of torchvision's "
                             "v3)")
    parser.add_argument("--probabilities", choices=("softmax", "sigmoid", "none"),
                        help="what makes probabilities of the outputs: softmax for one class of "
                             "many, sigmoid for labels that do not exclude each other and for one "
                             "output, none where they are no classes (default: what the graph "
                             "ends with, else softmax, none for one output)")
    parser.add_argument("--output", metavar="NAME", dest="source_output",
                        help="which output of the source, where it has several (default: its only "
                             "one)")
    parser.add_argument("--activation", choices=("relu", "relu6"),
                        help="of v1 and v2, for weights of PyTorch that do not say it (default "
                             "relu6)")
    parser.add_argument("--key", metavar="NAME",
                        help="which weights of a checkpoint that holds several: their key "
                             "(default: averaged ones, model_ema or state_dict_ema, if there are "
                             "some)")
    parser.add_argument("--prefix", metavar="NAME",
                        help="what the names of the network's tensors begin with, where there are "
                             "other tensors, too; only these are read (default: what stands "
                             "before names that are known)")
    parser.add_argument("--rescale", choices=("float", "fixed"),
                        help="of quantised TensorFlow Lite files: to the integers of LiteRT's "
                             "default, or to those of its reference kernels (default float, which "
                             "is faster)")
    parser.add_argument("--dequantise", action="store_true",
                        help="of quantised TensorFlow Lite and ONNX files: to the floats that their "
                             "integers stand for")
    parser.add_argument("--no-check", action="store_true",
                        help="do not run what was imported")
    return parser


def _read(options):
    if os.path.isdir(options.source):
        raise ImportFailure("{}: {}".format(*file_kinds.of_folder(options.source)))
    with open(options.source, "rb") as file:
        status = os.fstat(file.fileno())
        # Python takes the memory of all that it is asked to read, be there as much or not.
        size = status.st_size if stat.S_ISREG(status.st_mode) else _MAX_SOURCE
        data = file.read(min(size, _MAX_SOURCE) + 1)
    if len(data) > _MAX_SOURCE:
        raise ImportFailure("larger than 1 GiB: no MobileNet")
    for source in SOURCES:
        if source.recognise(data):
            return source, data
    kind = file_kinds.of_data(data, os.path.basename(options.source))
    raise ImportFailure("{}: {}".format(*kind) if kind else
                        "none of: " + ", ".join(source.NAME for source in SOURCES))


def _complete(imported, options):
    """Fills in what the source does not say."""
    if options.network and imported.network != options.network:
        raise ImportFailure(f"is a {imported.network}, not a {options.network}")
    height, width = options.resolution or (imported.height or 224, imported.input_width or 224)
    imported.height, imported.input_width = height, width
    for size in (height, width):
        if not 32 <= size <= 1024:
            raise ImportFailure(f"its input of {height}x{width} is not from 32 to 1024: give "
                                "--resolution")
    if options.rescale and not imported.rescaling:
        raise ImportFailure("--rescale: it has floats, no integers")
    if not imported.stage and not 1 <= imported.classes <= 1_000_000:
        raise ImportFailure(f"{imported.classes} classes, not from 1 to 1,000,000")
    if not (options.mean and options.std) and not (imported.mean and imported.std):
        imported.notes.append("taken for granted: input = (pixel / 255 - 0.5) / 0.5 (--mean, "
                              "--std)")
    channels = imported.input_channels
    imported.mean = _per_channel("--mean", options.mean or imported.mean or (0.5,), channels)
    imported.std = _per_channel("--std", options.std or imported.std or (0.5,), channels)
    if options.resize is not None:
        imported.resize = options.resize
    elif options.crop_ratio is not None:
        imported.resize = math.floor(min(height, width) / options.crop_ratio)
    elif imported.resize is None:
        imported.resize = 0
    imported.interpolation = options.interpolation or imported.interpolation
    imported.resampling = options.resampling or imported.resampling
    imported.fit = options.fit or imported.fit
    if options.fill or imported.fill:
        imported.fill = _per_channel("--fill", options.fill or imported.fill, channels)
    if options.probabilities:
        imported.probabilities = options.probabilities
    elif imported.probabilities is None:
        imported.probabilities = "none" if imported.classes == 1 else "softmax"
        if imported.graph and imported.classes:
            imported.notes.append(
                "taken for granted: its outputs are logits of a softmax (--probabilities)"
                if imported.classes > 1 else
                "taken for granted: its one output is a value, no logit (--probabilities)")
    if imported.classes == 1 and imported.probabilities == "softmax":
        imported.notes.append("its one output is a softmax's, which is always 1: --probabilities "
                              "sigmoid or none")
    if options.labels:
        imported.labels = labels.read(options.labels, imported.label_counts())


def _per_channel(option, values, channels):
    if len(values) == 1:
        values = tuple(values) * channels
    if len(values) != channels:
        raise ImportFailure(f"{option}: {len(values)} numbers for {channels} channels")
    return tuple(values)


def _black(imported):
    return json.dumps([0.0] * imported.input_channels)


def _metadata(imported):
    # What 0.1 does not know: only where it is not what is meant without it.
    later = {key: value for key, value, default in (
        ("probabilities", imported.classes and imported.probabilities or None, "softmax"),
        ("input_channels", str(imported.input_channels), "3"),
        ("interpolation", imported.interpolation, "bilinear"),
        ("resampling", imported.resampling, "pillow"),
        ("fit", imported.fit, "crop"),
        ("fill", imported.fill and json.dumps(list(imported.fill)), _black(imported)),
    ) if value not in (None, default)}
    metadata = {
        "format": "mobilenet/2" if later or imported.rescaling or imported.max_pool else "mobilenet/1",
        "network": imported.network,
        "source": imported.source,
        "width": repr(float(imported.width)),
        "input_height": str(imported.height),
        "input_width": str(imported.input_width),
        "padding": imported.padding,
        "mean": json.dumps(list(imported.mean)),
        "std": json.dumps(list(imported.std)),
        "resize": str(imported.resize),
        **later,
    }
    for key in ("rescaling", "arithmetic"):
        if getattr(imported, key):
            metadata[key] = getattr(imported, key)
    if imported.classes:
        metadata["classes"] = str(imported.classes)
    if imported.epsilon is not None:
        metadata["batch_norm_epsilon"] = repr(imported.epsilon)
    if imported.architecture is not None:
        metadata["architecture"] = imported.architecture
    if imported.labels:
        metadata["labels"] = json.dumps(imported.labels, ensure_ascii=False)
    return metadata


def _import(options):
    sentences = []
    try:
        source, data = _read(options)
        imported = source.read(data, options)
        _complete(imported, options)

        def look(path):
            if not options.no_check:
                sentences.extend(check.check(
                    imported, path, lambda: source.reference(data, imported, options)))
        size = safetensors.write(options.output, imported.tensors, _metadata(imported), look)
    except ImportFailure as failure:
        if failure.about_source:
            raise ImportFailure(f"{options.source}: {failure}") from None
        raise
    labelled = f"{'with' if imported.labels else 'without'} labels"
    print(one_line(f"{imported.described}, " + (
        f"{imported.classes} {'class' if imported.classes == 1 else 'classes'}, "
        f"{imported.parameters:,} parameters, {labelled}"
        if imported.classes else f"no classifier, {imported.parameters:,} parameters")))
    for sentence in (*imported.notes, *sentences):
        print(one_line(sentence))
    print(f"wrote {one_line(options.output)}, {size:,} bytes")


def main(arguments):
    options = _parser().parse_args(arguments)
    try:
        # What becomes infinite or NaN is refused where the network is complete.
        with numpy.errstate(all="ignore"):
            _import(options)
    except Exception as failure:
        if isinstance(failure, OSError):
            failure = f"{failure.filename or options.source}: {failure.strerror}"
        elif isinstance(failure, MemoryError):
            failure = f"{options.source}: not enough memory"
        elif not isinstance(failure, ImportFailure):
            # Files have more ways to be malformed than those that are looked for.
            failure = f"{options.source}: malformed: {type(failure).__name__}: {failure}"
        print(f"mobilenet-import: {one_line(failure)}", file=sys.stderr)
        return 1
    return 0
