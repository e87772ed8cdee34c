#!/usr/bin/env python3
"""Keras models as people have them (keras_models.py), saved in every format, against what was
imported from them:

    compare_graphs.py [--table] [--forms keras,h5,tflite,onnx] [NAME...]

Needs Keras with TensorFlow, tf2onnx, ai-edge-litert and onnxruntime: scripts/test --full makes an
environment that has them.  Prints a line for each file: the largest difference of the library's
output from the source's own runtime, as a part of the output's range; --table: docs/importing.md's
table as well.  Exit status 1 where a file is beyond 1e-5 (and farther from the same model in double
precision than twice its own runtime), or where the model file does not say what it has to.  Where a
graph resizes its image, pictures of three sizes go through Keras and through `mobilenet classify`."""
import argparse
import io
import json
import os
import subprocess
import sys
import tempfile
import warnings
from contextlib import redirect_stdout

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "")

import numpy

import keras_models
import importer_case  # noqa: F401, finds the importer

from importer import check, cli, safetensors
from importer.errors import ImportFailure

TOLERANCE = 1e-5
# Of a probability.  Networks with random weights hardly see their image: Pillow's arithmetic instead
# of TensorFlow's is 9e-6.
PHOTO_TOLERANCE = 5e-7
FORMS = {"keras": "Keras", "h5": "Keras, .h5", "tflite": "TensorFlow Lite", "onnx": "ONNX",
         "external": "ONNX, weights beside it"}


def save(keras, model, form, path):
    """Writes the model as `path`; raises what a converter does."""
    if form in ("keras", "h5"):
        model.save(path)
    elif form == "tflite":
        import tensorflow
        data = tensorflow.lite.TFLiteConverter.from_keras_model(model).convert()
        with open(path, "wb") as file:
            file.write(data)
    else:
        model.export(path, format="onnx", verbose=False)
        if form == "external":
            import onnx
            onnx.save_model(onnx.load(path), path, save_as_external_data=True,
                            location=os.path.basename(path) + ".data")


def in_double(keras, model):
    """The model in double precision."""
    text = model.to_json().replace("float32", "float64")
    twin = keras.models.model_from_json(text)
    twin.set_weights(model.get_weights())
    return twin


def photo_probabilities(model, file, folder, sizes):
    """(the library's probabilities of a picture, the model's), where the graph resizes it."""
    from PIL import Image
    generator = numpy.random.default_rng(9)
    height, width = sizes
    waves = [numpy.add.outer(numpy.sin(numpy.arange(height) / a), numpy.cos(numpy.arange(width) / b))
             for a, b in ((7, 11), (17, 5), (23, 29))]
    pixels = numpy.stack(waves, 2) * 55 + 127 + generator.uniform(-15, 15, (height, width, 3))
    pixels = numpy.clip(pixels, 0, 255).astype(numpy.uint8)
    path = os.path.join(folder, "picture.png")
    Image.fromarray(pixels).save(path)
    done = subprocess.run([check.find_command(), "classify", file, path, "--json", "--top", "100"],
                          capture_output=True, text=True, check=True)
    classes = json.loads(done.stdout)[0]["classes"]
    ours = [entry["probability"] for entry in sorted(classes, key=lambda entry: entry["index"])]
    logits = model.predict(pixels[None].astype(numpy.float32), verbose=0)
    return numpy.array(ours), numpy.exp(check.log_softmax(logits))[0]


def compare(keras, model, said, form, path):
    """(difference as a part of the range, whether it is good, what is wrong)."""
    with tempfile.TemporaryDirectory() as folder:
        output = os.path.join(folder, "model.safetensors")
        options = ["--output", said["output"](form)] if "output" in said else []
        arguments = cli._parser().parse_args([path, output, "--no-check", *options])
        module, data = cli._read(arguments)
        imported = module.read(data, arguments)
        cli._complete(imported, arguments)
        metadata = cli._metadata(imported)
        safetensors.write(output, imported.tensors, metadata)
        wrong = [f"{key} is {metadata.get(key)}, not {value}" for key, value in said.items()
                 if key != "output" and metadata.get(key) != value]
        if form == "keras" and imported.resampling == "tensorflow":
            for sizes in ((137, 211), (300, 96), (61, 83)):
                ours, theirs = photo_probabilities(model, output, folder, sizes)
                distance = numpy.abs(ours - theirs).max()
                print(f"       a picture of {sizes[0]}x{sizes[1]}: {distance:.1e} of a probability")
                if distance > PHOTO_TOLERANCE:
                    wrong.append(f"a picture of {sizes[0]}x{sizes[1]}: {ours}, not {theirs}")
        if imported.resizes:
            return None, not wrong, wrong
        images = check.seeded_images(imported, 4)
        ours = check.run(check.find_command(), output, images, imported.stage)
        reference = module.reference(data, imported, arguments)
        if isinstance(reference, str):
            return None, False, [reference]
        theirs = reference.run(check.as_source_reads(imported, images))
    worst, span = check.difference(imported.final, imported.exact, ours, theirs)
    good = worst <= TOLERANCE * span
    if not good:
        exact = in_double(keras, model).predict(check.as_source_reads(imported, images.astype(numpy.float64)),
                             verbose=0)
        distances = [check.difference(None if source is not ours else imported.final,
                                      imported.exact, source, exact)[0] for source in
                     (ours, theirs)]
        good = distances[0] <= 2 * distances[1]
        if not good:
            wrong.append(f"{distances[0]:.1e} from double precision, its runtime {distances[1]:.1e}")
    return worst / span, good and not wrong, wrong


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--table", action="store_true")
    parser.add_argument("--forms", default=",".join(FORMS))
    parser.add_argument("names", nargs="*", metavar="NAME")
    options = parser.parse_args()
    warnings.filterwarnings("ignore")
    import keras

    if check.find_command() is None:
        sys.exit("compare_graphs: there is no mobilenet command: build it, or set "
                 "MOBILENET_COMMAND")
    largest, failed, total = {}, 0, 0
    for name in options.names or keras_models.VARIANTS:
        model, said = keras_models.build(keras, name)
        for form in options.forms.split(","):
            if form not in keras_models.forms(name):
                continue
            with tempfile.TemporaryDirectory() as folder:
                path = os.path.join(folder, "model." + ("onnx" if form == "external" else form))
                with redirect_stdout(io.StringIO()):  # converters list every variable
                    save(keras, model, form, path)
                try:
                    part, good, wrong = compare(keras, model, said, form, path)
                except ImportFailure as failure:
                    part, good, wrong = None, False, [str(failure)]
            total, failed = total + 1, failed + (not good)
            figure = "not compared" if part is None else f"{part:.1e}"
            print(f"{'ok' if good else 'FAILED':6} {FORMS[form]}: {name}: "
                  f"{'; '.join([figure, *wrong])}", flush=True)
            count, most = largest.get(form, (0, 0.0))
            largest[form] = count + 1, max(most, part or 0.0)
    if options.table:
        print("\n| source | variants | largest |\n|---|---|---|")
        for form, (count, most) in largest.items():
            print(f"| {FORMS[form]} | {count} | {most:.1e} |")
    print(f"compare_graphs: {total - failed} of {total} files as their source has them")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
