#!/usr/bin/env python3
"""Importing TensorFlow Lite files: written here by hand, and the real ones of the test data."""
import io
import json
import os
import unittest
import zipfile

import numpy

from importer_case import DATA, Case

import integers
import small_network
import tflite_file
from small_network import Act
from tflite_file import Writer

try:
    from ai_edge_litert.interpreter import Interpreter, OpResolverType
except ImportError:
    Interpreter = None

SHAPE = [1, 48, 64, 3]


def by_litert(path, rescale, pixels):
    """What it computes of one image, as unsigned bytes."""
    options = {} if rescale == "float" else {
        "experimental_op_resolver_type": OpResolverType.BUILTIN_REF}
    interpreter = Interpreter(model_path=path, **options)
    interpreter.allocate_tensors()
    image, output = interpreter.get_input_details()[0], interpreter.get_output_details()[0]
    signed = {numpy.int8: 128, numpy.uint8: 0}
    interpreter.set_tensor(image["index"], (pixels[None].astype(int) - signed[image["dtype"]])
                           .astype(image["dtype"]))
    interpreter.invoke()
    return interpreter.get_tensor(output["index"])[0].astype(int) + signed[output["dtype"]]


def network(**options):
    return small_network.variant(padding="same", norms=False, gate="hard_sigmoid", **options)


class ByHand(Case):
    def test_float(self):
        plain, images = network(), small_network.images()
        _, metadata, out = self.imported(Writer().write(plain, SHAPE))
        table = json.loads(metadata["architecture"])
        self.assertEqual([row.get("expand") for row in table["rows"]], [8, 24, 40])
        self.assertEqual([row["strides"] for row in table["rows"]], [[2, 1], [2, 2], [1, 1]])
        self.assertIs(table["batch_norm"], False)
        self.assertEqual((metadata["padding"], metadata["classes"]), ("same", "5"))
        self.assertIn("of TensorFlow Lite (float)", out)
        self.assert_close(self.logits(images), small_network.evaluate_all(plain, images))

    def test_quantised_weights_become_the_floats_they_stand_for(self):
        images = small_network.images()
        for mode in ("tensor", "channel"):
            with self.subTest(mode):
                data = Writer(mode).write(network(), SHAPE, image=(1 / 128, 127))
                _, metadata, out = self.imported(data)
                self.assertIn("quantised, here as floats", out)
                expected = small_network.evaluate_all(
                    tflite_file.dequantised(network(), mode), images)
                self.assert_close(self.logits(images), expected)
                # (pixel - 127) / 128
                numpy.testing.assert_allclose(json.loads(metadata["mean"]), [127 / 255] * 3)
                numpy.testing.assert_allclose(json.loads(metadata["std"]), [128 / 255] * 3)

    def test_activations_that_are_written_are_not_left_out(self):
        """A ReLU whose numbers stay below six is none the less no ReLU6."""
        plain, images = network(), small_network.images()
        largest = {"b1_expand": 20.0, "b1_depthwise": 5.0}

        class Fusing(Writer):
            def operator(self, kind, inputs, name, options=None, shape=None):
                if name in largest:
                    options = options | {4 if kind == "depthwise" else 3: ("i8", 1)}
                super().operator(kind, inputs, name, options, shape)

            def put(self, op):
                if not isinstance(op, Act) or op.x not in largest:
                    super().put(op)
                    return
                of = self.tensors[self.index[op.x]]
                of[1] = ("u8", tflite_file.KINDS["uint8"])
                of[4] = {2: tflite_file.vector("f32", [largest[op.x] / 255]),
                         3: tflite_file.vector("i64", [0])}
                self.index[op.name] = self.index[op.x]
        _, metadata, _ = self.imported(Fusing().write(plain, SHAPE))
        self.assertEqual(json.loads(metadata["architecture"])["rows"][0]["activation"], "relu")
        self.assert_close(self.logits(images), small_network.evaluate_all(plain, images))

    def test_activations_that_quantisers_leave_out(self):
        """Of convolutions whose output is of 8 bits from 0 on, as older converters write them."""
        plain, images = network(), small_network.images()
        for kind, largest in (("relu", 20.0), ("relu6", 6.0)):
            with self.subTest(kind):
                writer = Writer()

                def put(op):
                    if isinstance(op, Act) and op.kind == "relu" and op.x.startswith("b1_d"):
                        of = writer.tensors[writer.index[op.x]]
                        of[1] = ("u8", tflite_file.KINDS["uint8"])
                        of[4] = {2: tflite_file.vector("f32", [largest / 255]),
                                 3: tflite_file.vector("i64", [0])}
                        writer.index[op.name] = writer.index[op.x]
                    else:
                        Writer.put(writer, op)
                writer.put = put
                meant = [op._replace(kind=kind) if getattr(op, "kind", "") == "relu"
                         and op.x.startswith(("b1_d", "b1_e")) else op for op in plain]
                expand = next(op for op in meant if getattr(op, "x", "") == "b1_expand")
                made = [expand if op.name == expand.name else op for op in plain]
                self.imported(writer.write(made, SHAPE))
                self.assert_close(self.logits(images),
                                  small_network.evaluate_all(meant, images))
                os.unlink(self.output)

    def test_networks_without_a_classifier(self):
        plain, images = network(), small_network.images()
        for name, stage in small_network.BACKBONES:
            with self.subTest(name):
                backbone = small_network.until(plain, name)
                _, metadata, _ = self.imported(Writer().write(backbone, SHAPE, softmax=False))
                self.assert_backbone(metadata, stage, images,
                                     small_network.evaluate_maps(backbone, images))

    def test_labels_in_the_file(self):
        packed = io.BytesIO(Writer().write(network(), SHAPE))
        packed.seek(0, io.SEEK_END)
        with zipfile.ZipFile(packed, "a") as archive:
            archive.writestr("labels.txt", "a\nb\nc\nd\ne\n")
        _, metadata, out = self.imported(packed.getvalue())
        self.assertEqual(json.loads(metadata["labels"]), list("abcde"))
        self.assertIn("with labels", out)
        packed = io.BytesIO(Writer().write(network(), SHAPE))
        packed.seek(0, io.SEEK_END)
        with zipfile.ZipFile(packed, "a") as archive:
            archive.writestr("labels.txt", "a\nb\n")
        _, metadata, _ = self.imported(packed.getvalue())
        self.assertNotIn("labels", metadata)


class Ends(Case):
    def test_activations(self):
        plain, images = network(), small_network.images()
        expected = small_network.evaluate_all(plain, images)
        for final, probabilities in (("softmax", None), ("log_softmax", None),
                                     ("logistic", "sigmoid"), (None, None)):
            with self.subTest(final):
                data = Writer().write(plain, SHAPE, softmax=False, final=final)
                _, metadata, _ = self.imported(data)
                self.assertEqual(metadata.get("probabilities"), probabilities)
                self.assert_close(self.logits(images), expected)

    def test_one_sigmoid_with_two_labels(self):
        plain = network()
        last = plain[-1]
        plain[-1] = last._replace(weight=last.weight[:1], bias=last.bias[:1])
        packed = io.BytesIO(Writer().write(plain, SHAPE, final="logistic"))
        packed.seek(0, io.SEEK_END)
        with zipfile.ZipFile(packed, "a") as archive:
            archive.writestr("labels.txt", "cat\ndog\n")
        _, metadata, _ = self.imported(packed.getvalue())
        self.assertEqual((metadata["classes"], metadata["probabilities"]), ("1", "sigmoid"))
        self.assertEqual(json.loads(metadata["labels"]), ["cat", "dog"])

    def test_several_outputs(self):
        plain, images = network(), small_network.images()
        writer = Writer()
        writer.write(plain, SHAPE)
        writer.operator("custom", [writer.index["pool"]], "boxes")
        data = writer.finish(["boxes", "probabilities", "pool"])
        self.refused(data, "3 outputs, expected one: boxes, probabilities, pool (--output NAME")
        self.refused(data, "--output x: its outputs are boxes, prob", options=("--output", "x"))
        self.refused(data, "boxes: operation CUSTOM", options=("--output", "boxes"))
        self.imported(data, "--output", "probabilities")
        self.assert_close(self.logits(images), small_network.evaluate_all(plain, images))

    def test_a_global_max_pool(self):
        plain = network(pool=False, maximum=True)
        images = small_network.images()
        _, metadata, _ = self.imported(Writer().write(plain, SHAPE))
        self.assertEqual(json.loads(metadata["architecture"])["pool"], "max")
        self.assertEqual(metadata["format"], "mobilenet/2")
        self.assert_close(self.logits(images), small_network.evaluate_all(plain, images))

    def test_average_pools(self):
        """One whose window is the whole plane is a global one, if it moves as far as that."""
        plain, images = network(pool=False), small_network.images()
        at = [op.name for op in plain].index("pool")
        for valid, step, window, good in ((1, 1, (6, 16), True), (0, 16, (6, 16), True),
                                          (0, 2, (6, 16), False), (1, 6, (6, 6), False)):
            with self.subTest(valid=valid, step=step, window=window):
                writer = Writer()
                writer.write(plain[:at], SHAPE, softmax=False)
                writer.operator("average_pool", [writer.index[plain[at].x]], "pool", {
                    0: ("i8", valid), 1: ("i32", step), 2: ("i32", step), 3: ("i32", window[1]),
                    4: ("i32", window[0])})
                for op in plain[at + 1:]:
                    writer.put(op)
                data = writer.finish(plain[-1].name)
                if good:
                    self.imported(data)
                    self.assert_close(self.logits(images),
                                      small_network.evaluate_all(plain, images))
                    os.unlink(self.output)
                else:
                    self.refused(data, "pool", "whole plane")


class Images(Case):
    def with_image(self, before, shape=None, plain=None, **options):
        data = Writer().write(plain or network(), shape or SHAPE, before=before, **options)
        return self.imported(data)

    def test_channels_that_the_graph_swaps(self):
        images = small_network.images()
        expected = small_network.evaluate_all(network(), images[..., ::-1])

        def reverse(w):
            w.operator("reverse_v2", [0, w.constant("axis", [3])], "image")

        def slices(w):
            ends = [w.constant(name, values) for name, values in
                    (("begin", [0, 0, 0, 0]), ("end", [0, 0, 0, 0]), ("by", [1, 1, 1, -1]))]
            w.operator("strided_slice", [0, *ends], "image", {0: ("i32", 15), 1: ("i32", 15)})

        def split(w):
            w.operator("split", [w.constant("axis", 3), 0], ["a", "b", "c"], {0: ("i32", 3)})
            w.operator("concatenation", [w.index[name] for name in "cba"], "image",
                       {0: ("i32", 3)})
        for before in (reverse, slices, split):
            with self.subTest(before.__name__):
                self.with_image(before)
                self.assert_close(self.logits(images), expected)

    def test_channels_first(self):
        """As converters from PyTorch write it: the image is transposed before the first layer."""
        images = small_network.images()

        def transpose(w):
            w.operator("transpose", [0, w.constant("order", [0, 2, 3, 1])], "image")
        self.with_image(transpose, [1, 3, 48, 64])
        self.assert_close(self.logits(images), small_network.evaluate_all(network(), images))

    def test_numbers_of_channels(self):
        for channels in (1, 2, 4):
            with self.subTest(channels):
                plain, images = network(channels=channels), small_network.images(channels=channels)
                _, metadata, _ = self.imported(Writer().write(plain, [1, 48, 64, channels]))
                self.assertEqual(metadata["input_channels"], str(channels))
                self.assert_close(self.logits(images), small_network.evaluate_all(plain, images))
        grey = small_network.images(channels=1)

        def tile(w):
            w.operator("tile", [0, w.constant("times", [1, 1, 1, 3])], "image")
        self.with_image(tile, [1, 48, 64, 1])
        self.assert_close(self.logits(grey), small_network.evaluate_all(
            network(), numpy.repeat(grey, 3, 3)))

    def test_8_bit_pixels(self):
        """Without a scale they are numbers from 0 to 255."""
        _, metadata, _ = self.with_image(lambda w: w.operator("cast", [0], "image"), kind=3)
        self.assertEqual(json.loads(metadata["mean"]), [0.0] * 3)
        numpy.testing.assert_allclose(json.loads(metadata["std"]), [1 / 255] * 3)

    def test_resizing_becomes_preprocessing(self):
        images = small_network.images()
        for kind, half, keys in (
                ("resize_bilinear", {3: ("u8", 1)}, {"resampling": "tensorflow"}),
                ("resize_nearest_neighbor", {1: ("u8", 1)},
                 {"resampling": "tensorflow", "interpolation": "nearest"})):
            with self.subTest(kind):
                def before(w):
                    w.operator(kind, [0, w.constant("size", [48, 64])], "image", half)
                _, metadata, _ = self.with_image(before, [1, 200, 200, 3])
                self.assertEqual({key: metadata[key] for key in ("resampling", "interpolation",
                                                                 "fit") if key in metadata}, keys)
                self.assertEqual((metadata["input_height"], metadata["input_width"]), ("48", "64"))
                self.assert_close(self.logits(images),
                                  small_network.evaluate_all(network(), images))
        os.unlink(self.output)

        def before(w):
            w.operator("resize_bilinear", [0, w.constant("size", [48, 64])], "image",
                       {2: ("u8", 1)})
        self.refused(Writer().write(network(), [1, 200, 200, 3], before=before),
                     "as TensorFlow 1 does (align_corners)")


@unittest.skipIf(Interpreter is None, "needs LiteRT")
class ByLiteRT(Case):
    def test_what_it_throws(self):
        """A file that it does not take is imported all the same.  Files of the converter are compared
        by compare_graphs.py."""
        self.command()
        for version, said in ((1, "compared with LiteRT: largest difference"),
                              (99, "not compared: ValueError: Didn't find op")):
            writer = Writer()
            writer.version = version
            status, out, err = self.run_importer(writer.write(network(), SHAPE), check_it=True)
            self.assertEqual((status, err), (0, ""))
            self.assertIn(said, out)


class Refusing(Case):
    def test_what_is_not_a_mobilenet(self):
        for kind in ("concat_embeddings", "stablehlo_scatter", "custom"):
            tflite_file.CODES.update(concat_embeddings=29, stablehlo_scatter=190)
            writer = Writer()
            writer.write(network(), SHAPE)
            writer.operator(kind, [writer.index["pool"]], "x")
            self.refused(writer.finish("x"), f"x: operation {kind.upper()} is in no MobileNet")
        writer = Writer()
        writer.tensor("image", shape=SHAPE)
        op = network()[0]
        writer.conv(op)
        writer.operators[-1][4][3] = ("i8", 4)
        self.refused(writer.finish(op.name), "fused activation tanh is in no MobileNet")
        writer = Writer()
        writer.used.append("custom")
        writer.operators.append({0: ("u32", 0), 1: tflite_file.vector("i32", [0]),
                                 2: tflite_file.vector("i32", [0])})
        self.refused(writer.write(network(), SHAPE), "operation CUSTOM is in no MobileNet")
        swapped = [op._replace(b="b2_expand") if op.name == "b3_add" else op for op in network()]
        self.refused(Writer().write(swapped, SHAPE), "channels meet")
        strided = [op._replace(strides=(3, 3)) if op.name == "b2_depthwise" else op
                   for op in network()]
        self.refused(Writer().write(strided, SHAPE), "b2_depthwise", "strides [3, 3]")
        self.refused(Writer().write(network(), [1, 48, 64, 5]), "expected an image of 1 to 4")
        writer = Writer()
        writer.write(network(), SHAPE)
        writer.buffers[1] = {0: b"1234"}
        self.refused(writer.finish(), "stem_w", "4 bytes for float32")

    def test_inputs_that_are_not_there(self):
        for kind, x in (("conv", "head_hard_swish"), ("depthwise", "head_hard_swish"),
                        ("fully_connected", "pool"), ("batch_matmul", "pool")):
            for inputs in ([], [-1]):
                with self.subTest(kind, inputs=inputs):
                    tflite_file.CODES.update(batch_matmul=126)
                    writer = Writer()
                    writer.write(network(), SHAPE)
                    writer.operator(kind, [writer.index[x], *inputs], "x")
                    self.refused(writer.finish("x"), "x: a layer without weights")
        writer = Writer()
        writer.write(network(), SHAPE)
        writer.operator("concatenation", [writer.index["logits"]] * 2, "x", {0: ("i32", 3)})
        self.refused(writer.finish("x"), "x: this operation on planes is in no MobileNet")

    def test_damaged_files(self):
        self.assert_survives(Writer("channel").write(network(), SHAPE), 200)


REAL = {
    "mobilenet_v1_0.25_128_quant.tflite": ("mobilenet_v1", "width 0.25", 128, 1001),
    "mobilenet_v1_0.75_192_quant.tflite": ("mobilenet_v1", "width 0.75", 192, 1001),
    "mobilenet_v2_1.0_224_inat_bird_quant.tflite": ("mobilenet_v2", "width 1", 224, 965),
    "mobilenet_v2_1.0_224_quant.tflite": ("mobilenet_v2", "width 1", 224, 1001),
    "tf2_mobilenet_v2_1.0_224_ptq.tflite": ("mobilenet_v2", "width 1", 224, 1001),
}


@unittest.skipUnless(os.path.isdir(os.path.join(DATA, "tflite")), "needs the test data")
class Real(Case):
    def test_recognised(self):
        for name, (network_name, width, size, classes) in REAL.items():
            with self.subTest(name):
                arrays, metadata, out = self.imported(os.path.join(DATA, "tflite", name))
                self.assertEqual((metadata["format"], metadata["rescaling"]),
                                 ("mobilenet/2", "float"))
                self.assertLessEqual({array.dtype.name for array in arrays.values()},
                                     {"int8", "uint8", "int32", "float32"})
                self.assertEqual(
                    (metadata["network"], metadata["input_height"], metadata["input_width"],
                     metadata["classes"], metadata["padding"]),
                    (network_name, str(size), str(size), str(classes), "same"))
                self.assertIn(width, out)

    def test_photos(self):
        """The classes that these photos have; a cat is any of ImageNet's.  Where there is LiteRT, all
        bytes are its own."""
        try:
            from PIL import Image
        except ImportError:
            self.skipTest("needs PIL")
        classes = {"cat_720p.jpg": 286, "bird.bmp": 20, "sunflower.bmp": 986,
                   "grace_hopper.bmp": 653}
        for rescale in ("float", "fixed"):
            for name in ("mobilenet_v2_1.0_224_quant.tflite",
                         "tf2_mobilenet_v2_1.0_224_ptq.tflite"):
                source = os.path.join(DATA, "tflite", name)
                self.imported(source, "--rescale", rescale)
                network = integers.Network(self.output)
                for photo, wanted in classes.items():
                    with self.subTest(name, rescale=rescale, photo=photo):
                        pixels = numpy.asarray(
                            Image.open(os.path.join(DATA, "photos", photo)).convert("RGB").resize(
                                (224, 224), Image.BILINEAR))
                        probabilities = network.probabilities(network.run(pixels))
                        self.assertEqual(probabilities.argmax(), wanted)
                        if Interpreter is not None:
                            numpy.testing.assert_array_equal(
                                probabilities, by_litert(source, rescale, pixels))


if __name__ == "__main__":
    unittest.main()
