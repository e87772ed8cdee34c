#!/usr/bin/env python3
"""Makes what the networks are tested against, with the framework that this Python has:

    python3 make_golden.py             everything below
    python3 make_golden.py --channels  only channels/
    python3 make_golden.py --stats     only prints how the logits look

Run it once with torch and torchvision, once with Keras 3; each makes its own cases of cases.inc.
    <case>.npy          logits of a seeded network on a seeded input (seeded.py), computed in double
    channels/*.npy      logits of networks for images that are not RGB, as channels.inc lists them
    stages/*.npy        outputs of layers in the middle, as stages.inc lists them
    tensors/*.txt       names and shapes of all tensors of each network at width 1, in 1000 classes
    counts-<source>.inc parameters at many widths
Torch 1.13 with torchvision 0.14 and Keras 3.15 (TensorFlow) made the files that are here; other
versions should give the same to about 1e-7.
"""

import pathlib
import re
import sys

import numpy as np
import seeded

HERE = pathlib.Path(__file__).parent
WIDTHS = (0.1, 0.25, 0.35, 0.5, 0.63, 0.75, 0.85, 0.9, 1.0, 1.12, 1.25, 1.3, 1.4, 1.7, 2.0, 4.0)

try:
    import golden_torch as framework
except ImportError:
    import golden_keras as framework


def cases():
    line = re.compile(r'CASE\("(\S+)", *"(\w+)", *(\w+), *"(\w+)", *(\w+), *(.*)\)$')
    for text in (HERE / "cases.inc").read_text().splitlines():
        match = line.match(text)
        if match is None:
            continue
        name, network, source, implementation, padding, numbers = match.groups()
        width, *integers = numbers.split(",")
        height, columns, classes, seed = map(int, integers)
        if source.lower() == framework.SOURCE:
            yield (name, network, implementation, padding.lower(), float(width), height, columns,
                   classes, seed)  # fmt: skip


def stages():
    """(network, padding, seed): [(file, module)]."""
    line = re.compile(r'STAGE\("(\S+)", *"(\w+)", *(\w+), *(\w+), *(\d+), *"\S+", *"(\S+)"\)$')
    found = {}
    for match in filter(None, map(line.match, (HERE / "stages.inc").read_text().splitlines())):
        file, network, source, padding, seed, module = match.groups()
        if source.lower() == framework.SOURCE:
            key = (network, padding.lower(), int(seed))
            found.setdefault(key, []).append((file, module))
    return found


def make_channels():
    (HERE / "channels").mkdir(exist_ok=True)
    line = re.compile(r'CHANNELS\("(\S+)", *"(\w+)", *(\w+), *"(\w+)", *(\w+), *(\d), *(\d+)\)$')
    for match in filter(None, map(line.match, (HERE / "channels.inc").read_text().splitlines())):
        file, network, source, implementation, padding, channels, seed = match.groups()
        if source.lower() != framework.SOURCE:
            continue
        channels, seed, width = int(channels), int(seed), 1 if implementation == "article" else 0.5
        model = framework.Model(
            network, implementation, padding.lower(), width, (48, 64), 10, channels
        )
        model.assign(seeded.weights(framework.SOURCE, model.shapes, model.depthwise, seed))
        image = seeded.uniform("input", seed, 48 * 64 * channels, -1, 1)
        logits = model.run(image.reshape(1, 48, 64, channels))[0]
        print(f"{file}: {logits.min():.3f} to {logits.max():.3f}")
        np.save(HERE / "channels" / f"{file}.npy", logits.astype(np.float32))


def make_stages():
    (HERE / "stages").mkdir(exist_ok=True)
    for (network, padding, seed), modules in stages().items():
        model = framework.Model(network, "framework", padding, 0.5, (48, 64), 10)
        model.assign(seeded.weights(framework.SOURCE, model.shapes, model.depthwise, seed))
        image = seeded.uniform("input", seed, 48 * 64 * 3, -1, 1).reshape(1, 48, 64, 3)
        for file, module in modules:
            values = model.run_module(module, image)[0]
            print(f"{file}: {values.shape}, {values.min():.3f} to {values.max():.3f}")
            np.save(HERE / "stages" / f"{file}.npy", values.astype(np.float32))


def main():
    if "--channels" in sys.argv:
        make_channels()
        return
    for name, network, implementation, padding, width, height, columns, classes, seed in cases():
        model = framework.Model(network, implementation, padding, width, (height, columns), classes)
        values = seeded.weights(framework.SOURCE, model.shapes, model.depthwise, seed)
        model.assign(values)
        count = height * columns * 3
        image, other = (
            seeded.uniform("input", seed + s, count, -1, 1).reshape(1, height, columns, 3)
            for s in (0, 1000)
        )
        logits = model.run(image)[0]
        spread = logits.max() - logits.min()
        moved = np.abs(model.run(other)[0] - logits).max() / spread
        print(f"{name}: {spread:.3f} between least and largest, {moved:.2%} moved by another input")
        if "--stats" not in sys.argv:
            np.save(HERE / f"{name}.npy", logits.astype(np.float32))
    if "--stats" in sys.argv:
        return

    make_channels()
    make_stages()
    (HERE / "tensors").mkdir(exist_ok=True)
    lines = []
    for network, implementation, widths in framework.NETWORKS:
        padding = "same" if implementation == "article" else None
        for width in WIDTHS if widths else (1.0,):
            model = framework.Model(network, implementation, padding, width, (224, 224), 1000)
            trained, moving = model.counts()
            source = framework.SOURCE.upper()
            lines.append(f'COUNT("{network}", {source}, {width}, {trained}, {moving})\n')
            if width == 1.0:
                rows = (f"{n} {list(s)}\n".replace(" ", "").replace("[", " [")
                        for n, s in sorted(model.shapes.items()))  # fmt: skip
                (HERE / "tensors" / f"{network}.{framework.SOURCE}.txt").write_text("".join(rows))
    (HERE / f"counts-{framework.SOURCE}.inc").write_text(
        "/* Made by make_golden.py: network, source, width, parameters, batch norm statistics. */\n"
        + "".join(lines)
    )


if __name__ == "__main__":
    main()
