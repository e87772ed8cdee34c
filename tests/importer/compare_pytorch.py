#!/usr/bin/env python3
"""PyTorch's MobileNets (pytorch_models.py), saved as people save them, against what was imported from
them:

    compare_pytorch.py [--table] [torchvision] [timm] [transformers] [own] [images]

Needs torch and what is named; scripts/test --full makes an environment that has them all.  A line for
each: the largest difference of the library's output from torch's, as a part of the output's range, on
random inputs.  `images`: probabilities of an image, preprocessed by timm's and transformers' own
transforms and by the library.  --table: docs/importing.md's table as well.  Exit status 1 where a
difference is beyond 1e-5 and the library farther from the same network in double precision than twice
torch."""
import argparse
import copy
import io
import itertools
import json
import os
import subprocess
import sys
import tempfile
import warnings
from contextlib import redirect_stderr, redirect_stdout

warnings.filterwarnings("ignore")

import numpy
import torch

import importer_case  # noqa: F401, finds the importer
import pytorch_models as models
from timm_network import safetensors

from importer import check, cli

TOLERANCE = 1e-5


def save(network, form, folder):
    """The path of the file."""
    inner = network.network if isinstance(network, models.Logits) else network
    path = os.path.join(folder, {"safetensors": "weights.safetensors"}.get(form, "weights.pth"))
    if form == models.STATE:
        torch.save(inner.state_dict(), path)
    elif form == models.WHOLE:
        torch.save(inner, path)
    elif form == models.SCRIPT:
        torch.jit.trace(inner, torch.zeros(1, 3, 96, 96), check_trace=False).save(path)
    else:
        arrays = {name: value.numpy() for name, value in inner.state_dict().items()
                  if value.is_floating_point()}
        with open(path, "wb") as file:
            file.write(safetensors(dict(sorted(arrays.items()))))
    return path


def run_importer(path, output, options):
    """(what it printed, the model's metadata, the stage of its output or None)"""
    out, err = io.StringIO(), io.StringIO()
    with redirect_stdout(out), redirect_stderr(err):
        status = cli.main([path, output, "--no-check", *options])
    if status:
        raise RuntimeError(err.getvalue().strip())
    stage = [line.split("the stage ")[1].split(" of ")[0] for line in out.getvalue().split("\n")
             if "without a classifier" in line]
    return out.getvalue(), importer_case.written(output)[1], stage[0] if stage else None


def evaluate(network, images):
    with torch.no_grad():
        result = network(images)
    result = result[-1] if isinstance(result, (list, tuple)) else result
    return (result.permute(0, 2, 3, 1) if result.ndim == 4 else result).numpy()


def compare(network, form, options, images):
    """(difference from torch, the library's from double precision, torch's from it), as parts of the
    output's range."""
    with tempfile.TemporaryDirectory() as folder:
        output = os.path.join(folder, "model.safetensors.out")
        _, _, stage = run_importer(save(network, form, folder), output, options)
        ours = check.run(check.find_command(), output, images, stage).astype(numpy.float64)
    planes = torch.from_numpy(images.transpose(0, 3, 1, 2).copy())
    theirs = evaluate(network, planes).astype(numpy.float64)
    exact = evaluate(copy.deepcopy(network).double(), planes.double())
    span = numpy.ptp(exact)
    ours = ours.reshape(exact.shape)
    return [float(numpy.abs(a - b).max() / span)
            for a, b in ((ours, theirs), (ours, exact), (theirs, exact))]


def networks(groups):
    """Rows of the table, {source: [what was tried, differences]}; whether all are good."""
    rows, good = {}, True
    images = numpy.random.default_rng(2017).uniform(-1, 1, (4, 224, 224, 3)).astype(numpy.float32)
    for group in groups:
        for source, name, network, options, forms in models.GROUPS[group]():
            network = models.trained(network)
            for form in forms:
                worst, ours, theirs = compare(network, form, options, images)
                fine = worst <= TOLERANCE or ours <= 2 * theirs
                good &= fine
                rows.setdefault(source, []).append((name, worst, ours, theirs))
                print(f"{source}: {name}, {form}: {worst:.1e} from torch, {ours:.1e} from double "
                      f"precision (torch {theirs:.1e}){'' if fine else ' FAILED'}", flush=True)
    return rows, good


# ---- Preprocessing ----

def picture(path, width, height):
    """Smooth colours, edges and noise."""
    from PIL import Image
    y, x = numpy.mgrid[:height, :width] / 100.0
    random = numpy.random.default_rng(5)
    planes = [127 + 90 * numpy.sin(3 * x + i) * numpy.cos(2 * y - i) + 30 * ((x + i) % 1 > 0.5)
              + random.normal(0, 9, x.shape) for i in range(3)]
    image = Image.fromarray(numpy.clip(numpy.stack(planes, 2), 0, 255).astype(numpy.uint8))
    image.save(path)
    return image


def classified(model, image):
    """Probabilities of an image, by class."""
    done = subprocess.run([check.find_command(), "classify", model, image, "--json", "--top", "10"],
                          check=True, capture_output=True, text=True)
    answer = json.loads(done.stdout)
    answer = answer[0] if isinstance(answer, list) else answer
    found = next(value for value in answer.values() if isinstance(value, list))
    result = numpy.zeros(10)
    for item in found:
        result[item["class"] if "class" in item else item["index"]] = item["probability"]
    return result


def timm_images(folder):
    import timm
    from timm.data import create_transform, resolve_data_config
    network = models.trained(timm.create_model("mobilenetv2_050", num_classes=10))
    for said in ({}, {"crop_pct": 0.95, "interpolation": "bilinear"}, {"crop_pct": 1.0},
                 {"crop_mode": "squash", "crop_pct": 0.9}, {"crop_mode": "squash", "crop_pct": 1.0},
                 {"crop_mode": "border", "crop_pct": 1.0}, {"crop_mode": "border", "crop_pct": 0.8},
                 {"interpolation": "nearest"}, {"input_size": [3, 160, 224], "crop_pct": 0.8},
                 {"input_size": [3, 192, 192], "crop_pct": 0.87, "mean": [0.5, 0.4, 0.3],
                  "std": [0.2, 0.3, 0.4]}):
        config = {"input_size": [3, 224, 224], "crop_pct": 0.875, "interpolation": "bicubic",
                  "mean": [0.485, 0.456, 0.406], "std": [0.229, 0.224, 0.225], **said}
        with open(os.path.join(folder, "config.json"), "w", encoding="ascii") as file:
            json.dump({"architecture": "mobilenetv2_050", "pretrained_cfg": config}, file)
        transform = create_transform(**resolve_data_config({}, pretrained_cfg=config))
        yield "timm's transforms", json.dumps(said), network, transform


def transformers_images(folder):
    import transformers as t
    network = models.trained(models.Logits(t.MobileNetV2ForImageClassification(
        t.MobileNetV2Config(depth_multiplier=0.5, num_labels=10, image_size=224))))
    for said in ({}, {"resample": 3, "size": {"shortest_edge": 240}},
                 {"size": {"height": 192, "width": 224}, "do_center_crop": False},
                 {"image_mean": [0.4, 0.5, 0.6], "image_std": [0.3, 0.2, 0.25]}):
        processor = t.MobileNetV2ImageProcessor(**said)
        network.network.config.save_pretrained(folder)
        processor.save_pretrained(folder)

        def transform(image, processor=processor):
            return processor(image, return_tensors="pt")["pixel_values"][0]
        yield "transformers' processors", json.dumps(said), network, transform


def images():
    """As networks()."""
    rows, good = {}, True
    with tempfile.TemporaryDirectory() as folder:
        path, output = os.path.join(folder, "model.safetensors"), os.path.join(folder, "out")
        pictures = []
        for width, height in ((500, 375), (333, 500), (150, 200)):
            name = os.path.join(folder, f"{width}x{height}.png")
            pictures.append((name, picture(name, width, height)))
        for source, said, network, transform in itertools.chain(timm_images(folder),
                                                           transformers_images(folder)):
            inner = network.network if isinstance(network, models.Logits) else network
            with open(path, "wb") as file:
                file.write(safetensors({name: value.numpy() for name, value
                                        in inner.state_dict().items() if value.is_floating_point()}))
            run_importer(path, output, ())
            worst = 0
            for name, image in pictures:
                with torch.no_grad():
                    theirs = torch.softmax(network(transform(image)[None]), 1)[0].numpy()
                worst = max(worst, float(numpy.abs(classified(output, name) - theirs).max()))
            fine = worst <= TOLERANCE
            good &= fine
            rows.setdefault(source, []).append((said, worst, 0, 0))
            print(f"{source}: {said}: {worst:.1e} of a probability{'' if fine else ' FAILED'}",
                  flush=True)
    return rows, good


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--table", action="store_true")
    parser.add_argument("groups", nargs="*", metavar="GROUP",
                        choices=[*models.GROUPS, "images", []], default=[])
    options = parser.parse_args()
    if check.find_command() is None:
        sys.exit("there is no mobilenet command: build it, or set MOBILENET_COMMAND")
    groups = options.groups or [*models.GROUPS, "images"]
    rows, good = networks([group for group in groups if group != "images"])
    if "images" in groups:
        more, fine = images()
        rows.update(more)
        good &= fine
    if options.table:
        print("\n| source | tried | largest | from double precision | torch's own |\n|---|---|---|---|---|")
        for source, tried in rows.items():
            names = list(dict.fromkeys(name for name, *_ in tried))
            worst = [max(item[i] for item in tried) for i in (1, 2, 3)]
            print(f"| {source} | {len(tried)} files of {len(names)} networks | "
                  + " | ".join(f"{value:.1e}" if value else "" for value in worst) + " |")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
