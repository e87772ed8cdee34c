#!/usr/bin/env python3
"""The demo's model against torchvision with the same weights, logit by logit, on photos.

Both get the same input, which torchvision has preprocessed.  Exit status 77 (skipped) where torch,
torchvision, the demo's files or its command are missing."""
import argparse
import os
import subprocess
import sys
import tempfile
import warnings

ROOT = os.path.realpath(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", ".."))
DATA = os.environ.get("MOBILENET_TEST_DATA", os.path.join(ROOT, "..", "shared", "data"))
SKIPPED = 77
TOLERANCE = 1e-3


def skip(reason):
    print(f"check_torchvision: skipped: {reason}")
    sys.exit(SKIPPED)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cache", default=os.path.join(ROOT, "demo"), help="the demo's files")
    parser.add_argument("--command", default=os.path.join(ROOT, "build/demo/tools/mobilenet"))
    parser.add_argument("--isa", help="the instruction set to run on")
    options = parser.parse_args()

    weights = os.path.join(options.cache, "mobilenet_v2-b0353104.pth")
    model = os.path.join(options.cache, "mobilenet_v2.safetensors")
    photos = [os.path.join(options.cache, name) for name in ("chelsea.png", "coffee.png")]
    for path in (options.command, weights, model, *photos):
        if not os.path.exists(path):
            skip(f"there is no {path}; scripts/demo makes it")
    cat = os.path.join(DATA, "photos", "cat_720p.jpg")
    if os.path.exists(cat):
        photos.append(cat)
    warnings.filterwarnings("ignore")
    try:
        import numpy
        import torch
        import torchvision
        from PIL import Image
        from torchvision import transforms
    except ImportError as missing:
        skip(missing)

    network = torchvision.models.mobilenet_v2()
    network.load_state_dict(torch.load(weights, map_location="cpu"))
    network.eval()
    preprocess = transforms.Compose([
        transforms.Resize(256), transforms.CenterCrop(224), transforms.ToTensor(),
        transforms.Normalize((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))])
    images = torch.stack([preprocess(Image.open(photo).convert("RGB")) for photo in photos])
    with torch.no_grad():
        expected = network(images).numpy()
    probabilities = torch.softmax(torch.from_numpy(expected), 1).numpy()

    with tempfile.TemporaryDirectory() as folder:
        source, result = os.path.join(folder, "x.npy"), os.path.join(folder, "y.npy")
        numpy.save(source, numpy.ascontiguousarray(images.permute(0, 2, 3, 1).numpy()))
        command = [options.command, "run", model, "--input", source, "--output", result]
        if options.isa:
            command += ["--isa", options.isa]
        status = subprocess.run(command, check=False).returncode
        if status:
            sys.exit(f"check_torchvision: failed: {' '.join(command)} exited with {status}")
        logits = numpy.load(result)
    if logits.shape != expected.shape:
        sys.exit(f"check_torchvision: failed: logits {logits.shape}, expected {expected.shape}")

    failed = 0
    for photo, ours, theirs, chances in zip(photos, logits, expected, probabilities):
        error = numpy.abs(ours - theirs).max()
        good = error <= TOLERANCE and ours.argmax() == theirs.argmax()  # false for NaN
        failed += not good
        best = theirs.argmax()
        print(f"{os.path.basename(photo)}: class {best} {chances[best]:.4f} by torchvision, "
              f"largest difference of a logit {error:.2e}, {'ok' if good else 'FAILED'}")
    print(f"check_torchvision: {len(photos) - failed} of {len(photos)} photos within {TOLERANCE}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
