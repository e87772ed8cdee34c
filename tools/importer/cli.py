"""The command line of mobilenet-import."""
import argparse
import json
import sys

import numpy

from . import labels, networks, safetensors
from .errors import ImportFailure, one_line
from .sources import SOURCES

# ImageNet's, as torchvision's weights were trained with.
_MEAN = (0.485, 0.456, 0.406)
_STD = (0.229, 0.224, 0.225)

_MAX_SOURCE = 1 << 30


def _number(convert, low, high):
    def parse(text):
        value = convert(text)
        if not low <= value <= high:
            raise argparse.ArgumentTypeError(f"{text} is not from {low} to {high}")
        return value
    parse.__name__ = "number"
    return parse


def _triple(low):
    def parse(text):
        values = [_number(float, low, 1000)(part) for part in text.split(",")]
        if len(values) != 3:
            raise argparse.ArgumentTypeError("expected three numbers R,G,B")
        return values
    parse.__name__ = "triple R,G,B"
    return parse


def _parser():
    parser = argparse.ArgumentParser(
        prog="mobilenet-import",
        description="Writes a mobilenet model file from a trained network of another framework.",
        epilog="SOURCE: a PyTorch checkpoint (.pth) or safetensors file of torchvision's "
               "MobileNet v2 or v3, any width and number of classes.  See docs/importing.md.")
    parser.add_argument("source", metavar="SOURCE")
    parser.add_argument("output", metavar="OUT.safetensors")
    parser.add_argument("--network", choices=[network.name for network in networks.NETWORKS],
                        help="fail if it is another network")
    parser.add_argument("--labels", metavar="FILE",
                        help="class names: text, one per line, or JSON: a list or {\"0\": name}")
    parser.add_argument("--resolution", metavar="R", type=_number(int, 32, 1024), default=224,
                        help="input height and width it was trained at (default 224)")
    parser.add_argument("--resize", metavar="N", type=_number(int, 0, 65536),
                        help="shorter side before the centre crop; 0: straight to the resolution "
                             "(default 256 at 224, in proportion at others)")
    parser.add_argument("--mean", metavar="R,G,B", type=_triple(-1000), default=_MEAN,
                        help="input = (pixel / 255 - mean) / std (default: ImageNet's)")
    parser.add_argument("--std", metavar="R,G,B", type=_triple(1e-6), default=_STD)
    return parser


def _read(path):
    with open(path, "rb") as file:
        data = file.read(_MAX_SOURCE + 1)
    if len(data) > _MAX_SOURCE:
        raise ImportFailure("larger than 1 GiB: no MobileNet")
    for source in SOURCES:
        if source.recognise(data):
            return source.read(data)
    raise ImportFailure("none of: " + ", ".join(source.NAME for source in SOURCES))


def _values(tensor):
    values = tensor.floats()
    if not numpy.isfinite(values).all():
        raise ImportFailure(f"{tensor.name}: NaN or infinity among its values")
    if tensor.name.endswith(".running_var") and (values < 0).any():
        raise ImportFailure(f"{tensor.name}: a variance is negative")
    return values


def _metadata(found, options):
    resize = options.resize
    if resize is None:
        resize = round(options.resolution * 256 / 224)
    metadata = {
        "format": "mobilenet/1",
        "network": found.network.name,
        "source": found.network.source,
        "width": repr(float(found.width)),
        "input_height": str(options.resolution),
        "input_width": str(options.resolution),
        "classes": str(found.classes),
        "padding": found.network.padding,
        "batch_norm_epsilon": repr(found.network.epsilon),
        "mean": json.dumps(list(options.mean)),
        "std": json.dumps(list(options.std)),
        "resize": str(resize),
    }
    if options.labels:
        metadata["labels"] = json.dumps(labels.read(options.labels, found.classes),
                                        ensure_ascii=False)
    return metadata


def _import(options):
    try:
        tensors = {name: tensor for name, tensor in _read(options.source).items()
                   if not name.endswith("num_batches_tracked")}
        found = networks.recognise({name: tensor.shape for name, tensor in tensors.items()},
                                   options.network)
        values = {name: _values(tensors[name]) for name in found.shapes}
    except ImportFailure as failure:
        raise ImportFailure(f"{options.source}: {failure}") from None
    metadata = _metadata(found, options)
    size = safetensors.write(options.output, values, metadata)
    print(f"{found.network.name} of {found.network.source}: width {found.width:g}, "
          f"{found.classes} classes, {networks.parameter_count(found.shapes):,} parameters, "
          f"{'with' if options.labels else 'without'} labels")
    print(f"wrote {one_line(options.output)}, {size:,} bytes")


def main(arguments):
    options = _parser().parse_args(arguments)
    try:
        _import(options)
    except (ImportFailure, OSError, MemoryError) as failure:
        if isinstance(failure, OSError):
            failure = f"{failure.filename or options.source}: {failure.strerror}"
        elif isinstance(failure, MemoryError):
            failure = f"{options.source}: not enough memory"
        print(f"mobilenet-import: {one_line(failure)}", file=sys.stderr)
        return 1
    return 0
