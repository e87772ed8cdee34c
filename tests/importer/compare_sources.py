#!/usr/bin/env python3
"""Sources against what was imported from them, on photos and on random input:

    compare_sources.py [--photos DIR] SOURCE... [-- OPTION OF mobilenet-import...]

Prints a line for each source: the largest difference from the source's own runtime (which this
Python has to have) as a part of the output's range, of the last features where there is no
classifier; for quantised sources the largest difference
of a probability, and for how many photos the best class is the same.  Photos are resized straight
to the network's input, bilinearly.  The files of the test data are taken where --photos is not
given.  Exit status 1 if a float source is beyond 1e-4."""
import os
import sys
import tempfile

import numpy

from importer_case import DATA

from importer import check, cli, safetensors

TOLERANCE = 1e-4


def load_photos(folder, height, width, mean, std):
    from PIL import Image
    images = []
    for name in sorted(os.listdir(folder)):
        if name.lower().endswith((".jpg", ".png", ".bmp")):
            image = Image.open(os.path.join(folder, name)).convert("RGB")
            images.append(numpy.asarray(image.resize((width, height), Image.BILINEAR)))
    return ((numpy.stack(images) / 255 - mean) / std).astype(numpy.float32)


def compare(source, options, folder):
    with tempfile.TemporaryDirectory() as scratch:
        output = os.path.join(scratch, "model.safetensors")
        arguments = cli._parser().parse_args([source, output, "--no-check", *options])
        module, data = cli._read(arguments)
        imported = module.read(data, arguments)
        cli._complete(imported, arguments)
        safetensors.write(output, imported.tensors, cli._metadata(imported))
        reference = module.reference(data, imported, arguments)
        if isinstance(reference, str):
            sys.exit(f"{source}: {reference}")
        inputs = {"random": check.seeded_images(imported, 4), "photos": load_photos(
            folder, imported.height, imported.input_width, imported.mean, imported.std)}
        scale, shift = numpy.array(imported.scale), numpy.array(imported.shift)
        cells, good = [], True
        for name, images in inputs.items():
            outputs = check.run(check.find_command(), output, images, imported.stage)
            theirs = reference.run(((images - shift) / scale).astype(numpy.float32))
            worst, span = check.difference(imported.final, imported.exact, outputs, theirs)
            cell = f"{name} {worst if not imported.exact else worst / span:.1e}"
            if not imported.stage:
                same = (outputs.argmax(1) == theirs.reshape(outputs.shape).argmax(1)).sum()
                cell += f", best class the same for {same} of {len(images)}"
            cells.append(cell)
            good &= not imported.exact or bool(worst <= TOLERANCE * span)
        stage = f" ({imported.stage})" if imported.stage else ""
        print(f"{os.path.basename(source)}{stage}: {reference.runtime}: {'; '.join(cells)}",
              flush=True)
        return good


def main():
    arguments, options = sys.argv[1:], []
    if "--" in arguments:
        place = arguments.index("--")
        arguments, options = arguments[:place], arguments[place + 1:]
    folder = os.path.join(DATA, "photos")
    if arguments[:1] == ["--photos"]:
        folder, arguments = arguments[1], arguments[2:]
    if not arguments:
        print(__doc__)
        return 2
    return 0 if all([compare(source, options, folder) for source in arguments]) else 1


if __name__ == "__main__":
    sys.exit(main())
