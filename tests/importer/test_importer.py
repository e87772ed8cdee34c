#!/usr/bin/env python3
"""mobilenet-import: what it reads, what it writes, what it refuses."""
import filecmp
import io
import json
import os
import pickle
import random
import struct
import subprocess
import sys
import unittest
import zipfile

import numpy

from importer_case import TOOLS, Case

from checkpoint import (Build, Call, Global, New, ORDERED_DICT, Raw, Storage, encode, legacy,
                        pickled, state_dict, tensor, zipped)
from importer import checkpoint as reading
from importer import cli, networks

try:
    import torch
    import torchvision
except ImportError:
    torch = None

NETWORKS = {network.name: network for network in networks.NETWORKS}


def weights(network="mobilenet_v2", width=0.1, classes=5, seed=1):
    """{name: array} with as many values as the network needs."""
    generator = numpy.random.default_rng(seed)
    return {name: generator.uniform(0.1, 1, shape).astype(numpy.float32)
            for name, shape in NETWORKS[network].layout(width, classes).items()}


class Reading(Case):
    def test_every_form_gives_the_same_tensors(self):
        expected = weights()
        value, storages = state_dict(expected)
        forms = {
            "legacy": legacy(value, storages),
            "legacy, big-endian": legacy(value, storages, little=False),
            "zip, stored": zipped(value, storages),
            "zip, deflated": zipped(value, storages, zipfile.ZIP_DEFLATED),
            "zip, big-endian": zipped(value, storages, little=False),
            "zip, another folder": zipped(value, storages, folder="epoch 7"),
        }
        for form, data in forms.items():
            with self.subTest(form):
                arrays, _, _ = self.imported(data)
                self.assert_same(arrays, expected)

    def test_a_safetensors_file_can_be_a_source(self):
        expected = weights()
        self.imported(zipped(*state_dict(expected)))
        os.rename(self.output, self.path("first"))
        arrays, _, _ = self.imported(self.path("first"))
        self.assert_same(arrays, expected)

    def test_wrapped_checkpoints(self):
        expected = weights()
        value, storages = state_dict(expected)
        prefixed = {"module." + name: item for name, item in value.items()}
        optimizer = {"state": {0: {"step": 3}}, "param_groups": [{"lr": 0.1}]}
        arguments = Build(Call(Global("argparse", "Namespace"), ()), {"lr": 0.1})
        for wrapped in ({"state_dict": value, "epoch": 3}, {"model": value, "args": arguments},
                        prefixed, {"model": prefixed, "optimizer": optimizer},
                        Build(value, {"_metadata": Call(ORDERED_DICT, ())})):
            arrays, _, _ = self.imported(zipped(wrapped, storages))
            self.assert_same(arrays, expected)

    def test_other_number_types_become_float32(self):
        single = weights()
        half = {name: array.astype(numpy.float16) for name, array in single.items()}
        double = {name: array.astype(numpy.float64) + 1e-9 for name, array in single.items()}
        upper = {name: (array.view(numpy.uint32) >> 16).astype(numpy.uint16)
                 for name, array in single.items()}
        widened = {name: (array.astype(numpy.uint32) << 16).view(numpy.float32)
                   for name, array in upper.items()}
        for stored, expected in ((half, half), (double, double), (upper, widened)):
            arrays, _, _ = self.imported(legacy(*state_dict(stored)))
            self.assert_same(arrays, {name: array.astype(numpy.float32)
                                      for name, array in expected.items()})

    def test_views_of_storages(self):
        """Transposed, strided, at an offset, sharing a storage."""
        expected = weights()
        value, storages = state_dict(expected)
        name = "classifier.1.weight"
        turned = numpy.ascontiguousarray(expected[name].T)
        value[name] = tensor("turned", turned, strides=(1, 5), shape=(5, 1280))
        value["features.0.1.weight"] = tensor("shared", numpy.zeros(40, numpy.float32),
                                              offset=3, strides=(2,), shape=(8,))
        value["features.0.1.bias"] = tensor("shared", numpy.zeros(40, numpy.float32),
                                            offset=20, strides=(1,), shape=(8,))
        shared = numpy.arange(40, dtype=numpy.float32)
        expected["features.0.1.weight"] = shared[3:19:2]
        expected["features.0.1.bias"] = shared[20:28]
        used = {n: item.arguments[0].key for n, item in value.items()}
        storages = {key: array for key, array in storages.items() if key in used.values()}
        storages.update(turned=turned, shared=shared)
        for form in (legacy, zipped):
            arrays, _, _ = self.imported(form(value, storages))
            self.assert_same(arrays, expected)

    def test_parameters_and_counters(self):
        expected = weights()
        with_counters = dict(expected)
        with_counters["features.0.1.num_batches_tracked"] = numpy.array(7, numpy.int64)
        value, storages = state_dict(with_counters)
        value["classifier.1.bias"] = Call(Global("torch._utils", "_rebuild_parameter"),
                                          (value["classifier.1.bias"], True,
                                           Call(ORDERED_DICT, ())))
        arrays, _, _ = self.imported(legacy(value, storages))
        self.assert_same(arrays, expected)


class Recognising(Case):
    def test_published_parameter_counts(self):
        for name, width, parameters in (
                ("mobilenet_v2", 1.0, 3_504_872), ("mobilenet_v3_large", 1.0, 5_483_032),
                ("mobilenet_v3_small", 1.0, 2_542_856), ("mobilenet_v3_small", 0.75, 1_653_920)):
            self.assertEqual(networks.parameter_count(NETWORKS[name].layout(width, 1000)),
                             parameters, name)

    def test_width_and_classes(self):
        for name, width, classes in (("mobilenet_v2", 0.35, 1000), ("mobilenet_v2", 1.4, 3),
                                     ("mobilenet_v3_small", 0.75, 10),
                                     ("mobilenet_v3_large", 0.5, 1)):
            found = networks.recognise(NETWORKS[name].layout(width, classes))
            self.assertEqual((found.network.name, found.width, found.classes),
                             (name, width, classes))

    def test_the_round_width_among_equivalent_ones(self):
        layout = NETWORKS["mobilenet_v2"].layout
        self.assertEqual(layout(0.75, 10), layout(0.76, 10))
        self.assertEqual(networks.recognise(layout(0.76, 10)).width, 0.75)

    def test_metadata(self):
        labels = "".join(f"class {i} \u00e9\n" for i in range(5))
        _, metadata, out = self.imported(
            zipped(*state_dict(weights())), "--labels", self.file("labels.txt", labels))
        self.assertEqual(json.loads(metadata.pop("labels")), labels.splitlines())
        self.assertEqual(metadata, {
            "format": "mobilenet/1", "network": "mobilenet_v2", "source": "torchvision",
            "width": "0.1", "input_height": "224", "input_width": "224", "classes": "5",
            "padding": "symmetric", "batch_norm_epsilon": "1e-05", "resize": "256",
            "mean": "[0.485, 0.456, 0.406]", "std": "[0.229, 0.224, 0.225]"})
        self.assertIn("mobilenet_v2 of torchvision: width 0.1, 5 classes, ", out)

    def test_metadata_of_options(self):
        data = zipped(*state_dict(weights("mobilenet_v3_small", 0.5)))
        _, metadata, _ = self.imported(data, "--resolution", "192", "--mean", "0.5,0.5,0.5",
                                       "--std", "0.5,0.5,0.25", "--network", "mobilenet_v3_small")
        self.assertEqual(
            [metadata[key] for key in ("network", "batch_norm_epsilon", "input_height",
                                       "input_width", "resize", "mean", "std")],
            ["mobilenet_v3_small", "0.001", "192", "192", "219", "[0.5, 0.5, 0.5]",
             "[0.5, 0.5, 0.25]"])
        _, metadata, _ = self.imported(data, "--resolution", "192", "--resize", "0")
        self.assertEqual(metadata["resize"], "0")

    def test_torchvisions_file_names(self):
        """The second weights of two networks were made for another resize."""
        for name, resize in (("mobilenet_v2-7ebf99e0.pth", "232"), ("mobilenet_v2-b0353104.pth", "256"),
                             ("other.pth", "256")):
            _, metadata, _ = self.imported(self.file(name, zipped(*state_dict(weights()))))
            self.assertEqual(metadata["resize"], resize)

    def test_forms_of_labels(self):
        data = zipped(*state_dict(weights()))
        expected = ["a", "b", "c", "d", "e"]
        forms = {"list.json": expected, "names.json": dict(zip("01234", expected)),
                 "pairs.json": {str(i): [f"n0000000{i}", name] for i, name in enumerate(expected)}}
        for name, value in forms.items():
            _, metadata, _ = self.imported(data, "--labels", self.file(name, json.dumps(value)))
            self.assertEqual(json.loads(metadata["labels"]), expected)
        _, metadata, _ = self.imported(data, "--labels", self.file("dos.txt", "a\r\nb\r\nc\nd\ne"))
        self.assertEqual(json.loads(metadata["labels"]), expected)


class Refusing(Case):
    def refuse_weights(self, arrays, *parts, options=()):
        self.refused(zipped(*state_dict(arrays)), *parts, options=options)

    def test_a_wrong_shape_is_named(self):
        arrays = weights(width=1.0)
        arrays["features.3.conv.0.0.weight"] = numpy.ones((144, 16, 1, 1), numpy.float32)
        self.refuse_weights(arrays, "mobilenet_v2", "width 1 ",
                            "features.3.conv.0.0.weight: expected [144,24,1,1], got [144,16,1,1]")

    def test_missing_and_unknown_tensors_are_named(self):
        arrays = weights()
        arrays["features.19.weight"] = numpy.ones(1, numpy.float32)
        self.refuse_weights(arrays, "features.19.weight is not a tensor of that network")
        del arrays["features.19.weight"], arrays["features.4.conv.1.1.running_var"]
        self.refuse_weights(arrays, "features.4.conv.1.1.running_var is missing")

    def test_other_networks(self):
        resnet = {"conv1.weight": numpy.ones((64, 3, 7, 7), numpy.float32),
                  "bn1.weight": numpy.ones(64, numpy.float32)}
        self.refuse_weights(resnet, "not a network that can be imported", "conv1.weight")
        self.refuse_weights(weights(), "is a mobilenet_v2", "not a mobilenet_v3_large",
                            options=("--network", "mobilenet_v3_large"))
        self.refused(zipped({}, {}), "holds no state dict and no module")
        self.refused(zipped({"epoch": 3}, {}), "holds no state dict")
        self.refused(zipped([1, 2], {}), "holds no state dict")

    def test_values(self):
        for name, value, message in (("features.0.0.weight", numpy.nan, "NaN or infinity"),
                                     ("features.0.1.running_var", -1, "variance is negative"),
                                     ("classifier.1.bias", numpy.inf, "NaN or infinity")):
            arrays = weights()
            arrays[name].flat[0] = value
            self.refuse_weights(arrays, name, message)
        arrays = weights()
        arrays["classifier.1.bias"] = numpy.ones(5, numpy.int64)
        self.refuse_weights(arrays, "classifier.1.bias", "int64")

    def test_labels(self):
        arrays = weights()
        for name, content, message in (
                ("a.txt", "x\n" * 4, "4 labels for 5 classes"),
                ("b.txt", "background\n" + "x\n" * 5, "'background'"),
                ("c.txt", "a\nb\n\nd\ne\n", "label 2 is empty"),
                ("d.txt", b"\xff\xfe", "not UTF-8"),
                ("e.json", "{", "not JSON"), ("f.json", "3", "neither a list nor an object"),
                ("g.json", '{"2": "a"}', "'a' has the index 2"), ("h.json", "[1,2,3,4,5]", "not a string"),
                ("i.txt", "a\nb\nc\nd\ne\x1b[2J\n", "label 4")):
            self.refuse_weights(arrays, name, message,
                                options=("--labels", self.file(name, content)))
        self.refuse_weights(arrays, "nowhere.txt", options=("--labels", self.path("nowhere.txt")))

    def assert_read(self, data, expected):
        found = reading.read(data).tensors
        self.assert_same({name: tensor.floats() for name, tensor in found.items()}, expected)

    def test_hostile_pickles_run_nothing(self):
        """Beside the weights they are data like any other; in place of one, it is named."""
        expected = weights()
        value, storages = state_dict(expected)
        marker = self.path("executed")
        touch = f"touch {marker}"
        shell = Call(Global("os", "system"), (touch,))
        evil = (shell, Call(Global("posix", "system"), (touch,)),
                Call(Global("builtins", "exec"), (f"open({marker!r}, 'w')",)),
                Call(Global("subprocess", "Popen"), (["touch", marker],)),
                Build(New(Global("pathlib", "Path"), {}), {"x": shell}),
                Call(Global("builtins", "getattr"), (Global("os", "system"), "__call__")),
                Call(Call(Global("builtins", "getattr"), (Global("os", ""), "system")), (touch,)),
                Raw(b"(S'" + touch.encode() + b"'\nios\nsystem\n"),
                Raw(b"(" + encode(Global("os", "system")) + encode(touch) + b"o"),
                Raw(encode(Global("os", "system")) + encode((touch,)) + b"\x81"),
                Raw(encode(Global("os", "system")) + encode((touch,)) + b"}\x92"))
        for item in evil:
            for form in (legacy, zipped):
                self.assert_read(form({"state_dict": value, "more": item}, storages), expected)
        # The real pickler's words for it, in the pickle of the weights and in those around it.
        class Evil:
            def __reduce__(self):
                return os.system, (touch,)
        for protocol in range(2, 6):
            text = pickle.dumps(Evil(), protocol)
            begin = 2 if protocol < 4 else 11  # without PROTO and FRAME
            self.assert_read(zipped({"state_dict": value, "more": Raw(text[begin:-1])}, storages),
                             expected)
            self.refused(text, "holds no state dict")
        for form in (legacy, zipped):
            self.refused(form(shell, {}), "holds no state dict")
        self.refused(zipped({**value, "features.3.conv.1.0.weight": shell}, storages),
                     "features.3.conv.1.0.weight: made by os.system, which is not called here")
        evil, whole, magic = pickled(shell), legacy({}, {}), pickled(0x1950A86A20F9469CFC6C)
        self.refused(magic + evil, "protocol")
        self.refused(magic + pickled(1001) + evil, "system information")
        self.refused(whole[:-len(pickled([]))] + evil, "list of storages")
        self.assertFalse(os.path.exists(marker))

    def test_objects_beside_the_weights(self):
        """Whatever training scripts put there."""
        expected = weights()
        value, storages = state_dict(expected)
        name = Global("some_package.training", "Config")
        more = {
            "args": New(Global("argparse", "Namespace"), {"lr": 0.1, "out": None}),
            "path": Call(Global("pathlib", "PosixPath"), ("/", "tmp", "x")),
            "best": Call(Global("numpy.core.multiarray", "scalar"),
                         (Call(Global("numpy", "dtype"), ("f8", 0, 1)), "12345678")),
            "counts": Call(Global("collections", "Counter"), ({"a": 3},)),
            "set": Raw(encode(Global("__builtin__", "set")) + encode(([1, 2],)) + b"R"),
            "frozen": Raw(b"(K\x01K\x02\x91"), "added": Raw(b"\x8f(K\x01\x90"),
            "config": Build(Raw(encode(New(name, {"a": 1})) + encode("b") + encode(2) + b"s"), {}),
            "list": Raw(encode(New(name, {})) + b"(K\x01K\x02e"),
            "extension": Raw(b"\x82\x01"), "function": Global("torch.nn", "Linear"),
            "keys": {(1, (2, 3)): 4}, "bytes": Raw(b"C\x03abc"), "more": Raw(
                b"\x96" + struct.pack("<Q", 3) + b"abc"),
            "old": Raw(b"(I7\nF0.5\nL8L\nVtext\nS'text'\nl"), "kind": Raw(
                encode(("module", Global("a", "B"), "b.py", "text")) + b"Q"),
            "quantised": Call(Global("torch._utils", "_rebuild_qtensor"), (1, 2, 3)),
            "strange": Call(Global("torch._utils", "_rebuild_tensor_v2"), (1, 2, 3, 4))}
        for form in (legacy, zipped):
            for key, item in more.items():
                with self.subTest(key, form=form.__name__):
                    self.assert_read(form({key: item, "state_dict": value}, storages), expected)
            arrays, _, _ = self.imported(form({**more, "state_dict": value}, storages))
            self.assert_same(arrays, expected)

    def test_malformed_pickles(self):
        for opcodes, message in ((b"\xff", "opcode 0xff"), (b"\x97", "opcode NEXT_BUFFER"),
                                 (b")R", "malformed pickle"), (b"h\x07", "malformed pickle"),
                                 (b"K\x07K\x01a", "a int has no elements"),
                                 (b"K\x07K\x01K\x02s", "a int has no items"),
                                 (encode("text") + b")R", "it calls a str")):
            self.refused(zipped(Raw(opcodes), {}), message)

    def test_malformed_tensors(self):
        one = numpy.ones(4, numpy.float32)
        for item, message in (
                (tensor("0", one, shape=(5,)), "beyond its storage"),
                (tensor("0", one, offset=1), "beyond its storage"),
                (tensor("0", one, offset=-1), "malformed tensor"),
                (tensor("0", one, strides=(-1,)), "malformed tensor"),
                (tensor("0", one, strides=()), "malformed tensor"),
                (tensor("0", one, shape=(1 << 50,), strides=(0,)), "malformed tensor"),
                (tensor("0", one, shape=(1 << 30,), strides=(0,)), "beyond its storage"),
                (tensor("0", one, shape=("a",)), "malformed tensor"),
                (tensor("0", one, shape=(1,) * 9, strides=(1,) * 9), "malformed tensor"),
                (Call(Global("torch._utils", "_rebuild_tensor_v2"), (1, 2, 3, 4)), "malformed"),
                (Call(Global("torch._utils", "_rebuild_tensor_v2"), ()), "malformed tensor"),
                (tensor("0", one)._replace(arguments=(Storage("FloatStorage", 3, 4), 0, (4,), (1,))),
                 "malformed storage"),
                (tensor("0", one)._replace(arguments=(Storage("FloatStorage", "0", -4), 0, (4,),
                                                      (1,))), "malformed storage"),
                (tensor("0", one)._replace(arguments=(Storage("Storage", "0", 4), 0, (4,), (1,))),
                 "torch.Storage")):
            for form in (legacy, zipped):
                with self.subTest(item=item, form=form.__name__):
                    self.refused(form({"features.0.0.weight": item, "x": tensor("0", one)},
                                      {"0": one}), message)
        self.refused(zipped({"a.weight": tensor("0", one), "b.weight": tensor("0", one[:2])}, {}),
                     "two different things")

    def test_storages_that_do_not_match(self):
        value, storages = state_dict(weights())
        key = next(iter(storages))
        short = dict(storages, **{key: storages[key].ravel()[:-1]})
        absent = {k: v for k, v in storages.items() if k != key}
        twice = legacy(value, storages).replace(encode(list(storages)),
                                                encode([key] + list(storages)))
        self.refused(legacy(value, short), f"storage {key} holds 215 values, expected 216")
        self.refused(zipped(value, short), f"data/{key} holds 860 bytes, expected 864")
        self.refused(legacy(value, absent), f"storage {key} is not in the file")
        self.refused(zipped(value, absent), f"data/{key} is not in the archive")
        self.refused(twice, f"storage {key} is listed")
        self.refused(pickled(value), "a pickle that refers to weights, without them")
        self.refused(legacy(value, dict(storages, more=storages[key])), "storage more is listed")

    def test_truncated_files(self):
        value, storages = state_dict(weights())
        for form in (legacy, zipped):
            data = form(value, storages)
            for length in (0, 1, 2, 5, 16, 40, 300, 10_000, len(data) // 2, len(data) - 1):
                self.refused(data[:length], "source: ")
        self.imported(zipped(value, storages))
        with open(self.output, "rb") as file:
            data = file.read()
        os.unlink(self.output)
        for length in (8, 9, 1000, 40_000, len(data) - 1):
            self.refused(data[:length], "source: ")

    def test_damaged_files_never_raise(self):
        value, storages = state_dict(weights())
        generator = random.Random(7)
        for form in (legacy, zipped):
            data = form(value, storages)
            begin = data.index(b"ccollections")
            for _ in range(150):
                damaged = bytearray(data)
                for _ in range(generator.randint(1, 3)):
                    damaged[begin + generator.randrange(20_000)] = generator.randrange(256)
                status, _, err = self.run_importer(bytes(damaged))
                self.assertIn((status, err.count("\n")), ((0, 0), (1, 1)))

    def test_malformed_safetensors(self):
        def file(header, body=b""):
            text = header if isinstance(header, bytes) else json.dumps(header).encode()
            return struct.pack("<Q", len(text)) + text + body

        def entry(**changes):
            return {"x": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4], **changes}}

        for data, message in (
                (struct.pack("<Q", 1 << 60) + b"{}", "header does not fit"),
                (file(b"{nonsense"), "not JSON"), (file(b'{"x":1,"x":2}'), "occurs twice"),
                (file(b'{"a":' * 100_000), "not JSON"), (file({"x": 3}), "x: no dtype"),
                (file(entry(dtype="F8")), "x: dtype F8"), (file(entry(dtype=[])), "x: dtype"),
                (file(entry(shape=[-1])), "x: shape"), (file(entry()), "x: data_offsets"),
                (file(entry(data_offsets=[4, 0]), b"0000"), "x: data_offsets"),
                (file(entry(shape=[2]), b"0000"), "x: 4 bytes do not match"),
                (file(entry(), b"0000"), "its first tensor is x")):
            self.refused(data, message)

    def test_messages_are_safe_to_print(self):
        self.refused(zipped({"\x1b[2J\n\udc80": tensor("0", numpy.ones(1, numpy.float32))}, {}),
                     "its first tensor is ?[2J??")

    def test_bombs(self):
        data = io.BytesIO()
        with zipfile.ZipFile(data, "w", zipfile.ZIP_DEFLATED) as archive:
            with archive.open("a/data.pkl", "w", force_zip64=True) as file:
                for _ in range(65):
                    file.write(bytes(1 << 20))
        self.refused(data.getvalue(), "unpacks to")
        # A memo index that makes the C unpickler allocate 32 GB.
        memo = pickled({}).replace(b"}", b"}r\xff\xff\xff\xff")
        self.refused(memo, "holds no state dict")
        nested = b"\x80\x02" + b"(" * 200_000 + b"t" * 200_000 + b"."
        self.refused(legacy({}, {}).replace(pickled({}), nested, 1), "state dict")

    def test_files(self):
        good = self.file("good.pth", zipped(*state_dict(weights())))
        self.refused(self.path("absent.pth"), "absent.pth: No such file")
        self.refused(self.folder, ": a folder: ")
        self.output = self.path("no such folder/x")
        self.refused(good, "no such folder/x: No such file")
        self.output = self.file("kept.safetensors", "what was here before")
        status, _, _ = self.run_importer(b"nonsense")
        self.assertEqual(status, 1)
        with open(self.output, encoding="ascii") as file:
            self.assertEqual(file.read(), "what was here before")


class Command(Case):
    """The script itself, as a person runs it."""

    def command(self, *arguments):
        return subprocess.run([sys.executable, os.path.join(TOOLS, "mobilenet-import"), *arguments],
                              capture_output=True, text=True, check=False)

    def test_it_imports(self):
        source = self.file("source", legacy(*state_dict(weights())))
        done = self.command(source, self.output)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.assertIn("wrote " + self.output, done.stdout)
        os.rename(self.output, self.path("first"))
        self.command(source, self.output)
        self.assertTrue(filecmp.cmp(self.output, self.path("first"), shallow=False))

    def test_it_refuses(self):
        done = self.command(self.file("s", zipped(Global("os", "system"), {})), self.output)
        self.assertEqual((done.returncode, done.stdout), (1, ""))
        self.assertEqual(done.stderr, f"mobilenet-import: {self.path('s')}: holds no state dict and "
                                      "no module: save model.state_dict()\n")

    def test_help_names_defaults(self):
        for action in cli._parser()._actions:
            if action.option_strings and action.nargs != 0:
                self.assertIn("default", action.help or "", action.option_strings)

    def test_usage(self):
        self.assertIn("--labels", self.command("--help").stdout)
        for arguments in ((), ("a",), ("a", "b", "--resolution", "31"), ("a", "b", "--mean", "1,x"),
                          ("a", "b", "--std", "1,1,0"), ("a", "b", "--network", "resnet")):
            done = self.command(*arguments)
            self.assertEqual(done.returncode, 2)
            self.assertIn("error: ", done.stderr)


@unittest.skipIf(torch is None, "needs torch and torchvision")
class AgainstTorch(Case):
    def test_networks(self):
        for name, width, classes in (
                ("mobilenet_v2", 1.0, 1000), ("mobilenet_v2", 0.35, 7), ("mobilenet_v2", 1.4, 2),
                ("mobilenet_v3_small", 1.0, 10), ("mobilenet_v3_small", 0.75, 1000),
                ("mobilenet_v3_large", 1.0, 1000), ("mobilenet_v3_large", 0.35, 3)):
            torch.manual_seed(1)
            model = getattr(torchvision.models, name)(width_mult=width, num_classes=classes)
            expected = {key: value.numpy() for key, value in model.state_dict().items()
                        if not key.endswith("num_batches_tracked")}
            epsilon = next(m.eps for m in model.modules()
                           if isinstance(m, torch.nn.BatchNorm2d))
            for zip_form in (False, True):
                torch.save(model.state_dict(), self.path("model.pth"),
                           _use_new_zipfile_serialization=zip_form)
                arrays, metadata, _ = self.imported(self.path("model.pth"))
                self.assert_same(arrays, expected)
                self.assertEqual(
                    (metadata["network"], float(metadata["width"]), int(metadata["classes"]),
                     float(metadata["batch_norm_epsilon"])), (name, width, classes, epsilon))

    def test_kinds_of_tensors(self):
        model = torchvision.models.mobilenet_v2(width_mult=0.1, num_classes=5)
        state = model.state_dict()
        state["classifier.1.weight"] = torch.rand(1280, 5).t()
        state["features.0.1.bias"] = torch.rand(100)[7:23:2]
        state["features.0.0.weight"] = state["features.0.0.weight"].to(
            memory_format=torch.channels_last)
        state["features.18.0.weight"] = torch.nn.Parameter(state["features.18.0.weight"])
        for convert in (torch.Tensor.float, torch.Tensor.half, torch.Tensor.bfloat16,
                        torch.Tensor.double):
            stored = {name: convert(value) if value.is_floating_point() else value
                      for name, value in state.items()}
            expected = {name: value.detach().float().numpy() for name, value in stored.items()
                        if not name.endswith("num_batches_tracked")}
            for zip_form in (False, True):
                torch.save({"model": stored, "epoch": 3}, self.path("model.pth"),
                           _use_new_zipfile_serialization=zip_form)
                arrays, _, _ = self.imported(self.path("model.pth"))
                self.assert_same(arrays, expected)

    def test_classifiers_of_ones_own(self):
        images = numpy.random.default_rng(1).uniform(-1, 1, (1, 96, 64, 3)).astype(numpy.float32)
        linear, relu, swish = torch.nn.Linear, torch.nn.ReLU, torch.nn.Hardswish
        for name, head, activations, options in (
                ("mobilenet_v2", [linear(1280, 16), relu(), torch.nn.Dropout(), linear(16, 3)],
                 ["relu"], ()),
                ("mobilenet_v2", [linear(1280, 9), swish(), linear(9, 8), swish(), linear(8, 3)],
                 ["hard_swish"] * 2, ("--hidden-activation", "hard_swish")),
                ("mobilenet_v3_small", [linear(288, 3)], [], ()),
                ("mobilenet_v3_large", [linear(480, 16), relu(), linear(16, 3)], ["relu"], ()),
                # torchvision's own, but for its number of hidden units
                ("mobilenet_v3_small", [linear(288, 16), swish(), torch.nn.Dropout(),
                                        linear(16, 3)], ["hard_swish"], ())):
            torch.manual_seed(1)
            model = getattr(torchvision.models, name)(width_mult=0.5).eval()
            model.classifier = torch.nn.Sequential(*head).eval()
            for module in model.modules():
                if isinstance(module, torch.nn.BatchNorm2d):
                    torch.nn.init.uniform_(module.running_var, 0.8, 1.2)
            torch.save(model.state_dict(), self.path("model.pth"))
            _, metadata, out = self.imported(self.path("model.pth"), *options)
            table = json.loads(metadata["architecture"])
            self.assertEqual([layer["activation"] for layer in table.get("hidden", [])],
                             activations)
            self.assertIn("with a classifier of its own: width 0.5, 3 classes", out)
            with torch.no_grad():
                expected = model(torch.from_numpy(
                    images.transpose(0, 3, 1, 2).copy())).numpy()
            self.assert_close(self.logits(images), expected, 1e-4)

    def test_grey_networks(self):
        images = numpy.random.default_rng(1).uniform(-1, 1, (1, 64, 64, 1)).astype(numpy.float32)
        torch.manual_seed(1)
        model = torchvision.models.mobilenet_v3_small(width_mult=0.5, num_classes=4).eval()
        model.features[0][0] = torch.nn.Conv2d(1, 8, 3, 2, 1, bias=False)
        torch.save(model.state_dict(), self.path("model.pth"))
        status, out, err = self.run_importer(self.path("model.pth"), "--mean", "0.5", "--std", "0.5",
                                             "--resolution", "64", check_it=True)
        self.assertEqual((status, err), (0, ""))
        self.assertRegex(out, "compared with torch .*e-0[567] of the output's range")
        with torch.no_grad():
            expected = model(torch.from_numpy(images.transpose(0, 3, 1, 2).copy())).numpy()
        self.assert_close(self.logits(images), expected)

    def test_networks_without_a_classifier(self):
        """The features alone, under the network's names and under their own; the same with an
        Identity for a classifier."""
        images = numpy.random.default_rng(1).uniform(-1, 1, (1, 96, 64, 3)).astype(numpy.float32)
        for name, stage in (("mobilenet_v2", "features.18.0"),
                            ("mobilenet_v3_small", "features.12.0"),
                            ("mobilenet_v3_large", "features.16.0")):
            torch.manual_seed(1)
            model = getattr(torchvision.models, name)(width_mult=0.5).eval()
            model.classifier = torch.nn.Identity()
            for module in model.modules():
                if isinstance(module, torch.nn.BatchNorm2d):
                    torch.nn.init.uniform_(module.running_var, 0.8, 1.2)
            with torch.no_grad():
                x = torch.from_numpy(images.transpose(0, 3, 1, 2).copy())
                maps, pooled = model.features(x).permute(0, 2, 3, 1).numpy(), model(x).numpy()
            for state in (model.state_dict(), model.features.state_dict()):
                torch.save(state, self.path("model.pth"))
                _, metadata, out = self.imported(self.path("model.pth"), "--resolution", "96x64")
                self.assertIn(f"{name} of torchvision: width 0.5, no classifier", out)
                self.assert_backbone(metadata, stage, images, maps)
                self.assert_backbone(metadata, "pool", images, pooled)
                status, out, err = self.run_importer(self.path("model.pth"), check_it=True)
                self.assertEqual((status, err), (0, ""))
                self.assertRegex(out, "compared with torch .*e-0[567] of the output's range")

    def test_whole_modules(self):
        """Their classes are not imported; they say their own epsilon and strides."""
        torch.manual_seed(1)
        model = torchvision.models.mobilenet_v2(width_mult=0.1, num_classes=5).eval()
        expected = {key: value.numpy() for key, value in model.state_dict().items()
                    if not key.endswith("num_batches_tracked")}
        for zip_form in (False, True):
            torch.save(model, self.path("model.pth"), _use_new_zipfile_serialization=zip_form)
            self.assert_same(self.imported(self.path("model.pth"))[0], expected)
        for make in (torch.jit.script, lambda m: torch.jit.trace(m, torch.zeros(1, 3, 64, 64))):
            make(model).save(self.path("model.pt"))
            self.assert_same(self.imported(self.path("model.pt"))[0], expected)
        model.features[0][0].stride = (1, 1)
        for module in model.modules():
            if isinstance(module, torch.nn.BatchNorm2d):
                module.eps = 1e-2
        images = numpy.random.default_rng(1).uniform(-1, 1, (1, 64, 64, 3)).astype(numpy.float32)
        with torch.no_grad():
            logits = model(torch.from_numpy(images.transpose(0, 3, 1, 2).copy())).numpy()
        for save in (lambda path: torch.save(model, path),
                     lambda path: torch.jit.script(model).save(path)):
            save(self.path("model.pth"))
            self.imported(self.path("model.pth"))
            self.assert_close(self.logits(images), logits)


if __name__ == "__main__":
    unittest.main()
