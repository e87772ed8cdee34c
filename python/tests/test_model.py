"""Loading, and running on arrays."""

import gc
import copy
import json
import math
import mmap
import pickle
import re
import traceback
import typing
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
import struct
import subprocess

import numpy as np
import pytest

import mobilenet
from conftest import CLASSES, SIDE, with_metadata
from mobilenet import Error, Status


def softmax(logits):
    powers = np.exp(logits.astype(np.float64) - logits.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


def sigmoid(logits):
    return 1 / (1 + np.exp(-logits.astype(np.float64)))


# ---- Loading -------------------------------------------------------------------------------------


def test_properties(model):
    assert model.input_size == (SIDE, SIDE)
    assert model.classes == CLASSES
    assert model.labels is None
    assert model.threads == 1
    assert model.isa in mobilenet.isas()
    same = mobilenet.network("mobilenet_v2", width=0.25, input_size=SIDE, classes=CLASSES)
    assert model.network == same
    assert (model.parameters, model.multiply_adds) == (same.parameters, same.multiply_adds)
    assert model.bytes > 4 * sum(layer.weights for layer in same.layers)
    assert len(model.preprocessing.mean) == 3 and min(model.preprocessing.standard_deviation) > 0
    assert "mobilenet_v2" in repr(model) and "64x64" in repr(model)


def test_labels(model_bytes):
    names = [f"class {i} ü" for i in range(CLASSES)]
    model = mobilenet.load(with_metadata(model_bytes, labels=json.dumps(names)))
    assert model.labels == tuple(names)
    prediction = model.classify(np.zeros((40, 40, 3), np.uint8), top=1)[0]
    assert prediction.label == names[prediction.class_index]


def test_sources_are_alike(model, model_bytes, model_path, batch):
    expected = model.run(batch)
    with open(model_path, "rb") as file:
        mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        sources = [model_path, str(model_path), bytearray(model_bytes), memoryview(model_bytes)]
        for source in [*sources, mapped, np.frombuffer(model_bytes, np.uint8)]:
            np.testing.assert_array_equal(mobilenet.load(source).run(batch), expected)
        del source, sources
        mapped.close()  # fails where the model still points into it


def test_no_file():
    with pytest.raises(Error, match="/nowhere/x.safetensors") as caught:
        mobilenet.load("/nowhere/x.safetensors")
    assert caught.value.status == Status.IO
    assert str(caught.value) == caught.value.message


@pytest.mark.parametrize("source", [b"", b"no model", "v2\0.safetensors"])
def test_bad_sources(source):
    with pytest.raises(Error):
        mobilenet.load(source)


def test_truncated(model_bytes):
    with pytest.raises(Error) as caught:
        mobilenet.load(model_bytes[:-5])
    assert caught.value.status == Status.MALFORMED


@pytest.mark.parametrize("source", [None, 3, ["a"]])
def test_sources_of_wrong_type(source):
    with pytest.raises(TypeError):
        mobilenet.load(source)


# Endings of instruction sets that have kernels of integers alone.
INTEGERS = "vnni", "vbmi", "dot"


def test_isa(model_bytes, batch):
    scalar = mobilenet.load(model_bytes, isa="scalar")
    assert scalar.isa == "scalar"
    best = mobilenet.load(model_bytes, isa=mobilenet.isas())
    assert best.isa == next(isa for isa in mobilenet.isas() if not isa.endswith(("bf16", *INTEGERS)))
    difference = np.abs(scalar.run(batch) - best.run(batch)).max()
    assert difference < 1e-4
    for wrong in ("mmx", "", ["avx2", "mmx"]):
        with pytest.raises(Error, match="usable: .*scalar"):
            mobilenet.load(model_bytes, isa=wrong)


def test_precision(model, model_bytes, batch):
    half = mobilenet.load(model_bytes, precision="bfloat16")
    assert (model.precision, half.precision) == ("float32", "bfloat16")
    assert "float32, " in repr(model) and f"bfloat16, {half.isa}>" in repr(half)
    assert half.bytes < 0.6 * model.bytes
    expected, rounded = model.run(batch), half.run(batch)
    assert rounded.dtype == np.float32
    difference = np.abs(rounded - expected).max()
    assert 0 < difference < 0.04 * np.ptp(expected)
    for name in ("default", "float32"):
        same = mobilenet.load(model_bytes, precision=name)
        assert same.precision == "float32"
        np.testing.assert_array_equal(same.run(batch), expected)
    fastest = mobilenet.load(model_bytes, precision="fastest")
    assert fastest.isa == next(isa for isa in mobilenet.isas() if not isa.endswith(INTEGERS))
    of_scalar = mobilenet.load(model_bytes, isa="scalar", precision="fastest")
    assert (of_scalar.precision, of_scalar.isa) == ("float32", "scalar")
    maps = half.features(batch, ["stride8", "pool"])
    assert {values.dtype for values in maps.values()} == {np.dtype(np.float32)}
    steps = half.profile(repeats=1)
    assert sum(len(step.layers) for step in steps) == len(model.network.layers)


@pytest.mark.parametrize("threads", [0, -1, 2**32 + 1, 5000])
def test_bad_thread_counts(model_bytes, batch, threads):
    with pytest.raises(Error, match="threads"):
        mobilenet.load(model_bytes, threads=threads).run(batch)


def test_models_can_be_pickled(model, model_bytes, model_path, batch, tmp_path, monkeypatch):
    """By path, absolute, or by the bytes; with the options."""
    expected = model.run(batch)
    monkeypatch.chdir(model_path.parent)
    for source in (model_path, model_path.name, model_bytes, bytearray(model_bytes)):
        original = mobilenet.load(source, ("scalar", "sse"), threads=2, precision="bfloat16")
        pickled = pickle.dumps(original)
        by_path = not isinstance(source, (bytes, bytearray))
        assert (len(pickled) < 1000) == by_path
        monkeypatch.chdir(tmp_path)  # a worker may run elsewhere
        again = pickle.loads(pickled)
        monkeypatch.chdir(model_path.parent)
        assert (again.isa, again.threads) == (original.isa, 2) and again.isa in ("scalar", "sse")
        assert again.precision == "bfloat16"
        np.testing.assert_array_equal(again.run(batch), original.run(batch))
        np.testing.assert_array_equal(pickle.loads(pickle.dumps(again)).run(batch), again.run(batch))
    np.testing.assert_array_equal(copy.deepcopy(model).run(batch), expected)
    headless = pickle.loads(pickle.dumps(mobilenet.load(model_path, headless=True)))
    with pytest.raises(Error, match="headless"):
        headless.run(batch)


def test_a_pickled_model_without_its_file(model_path, tmp_path):
    path = tmp_path / "gone.safetensors"
    path.write_bytes(model_path.read_bytes())
    pickled = pickle.dumps(mobilenet.load(path))
    path.unlink()
    with pytest.raises(Error, match="gone.safetensors: No such file"):
        pickle.loads(pickled)
    model = mobilenet.load(model_path)
    model.close()
    with pytest.raises(Error, match="closed"):
        pickle.dumps(model)


def test_models_in_other_processes(model, batch):
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as executor:
        np.testing.assert_array_equal(
            executor.submit(type(model).run, model, batch).result(), model.run(batch)
        )


def test_public_names_are_those_of_the_package():
    for name in mobilenet.__all__:
        public = getattr(mobilenet, name)
        assert f"{public.__module__}.{public.__qualname__}" == f"mobilenet.{name}"
        assert pickle.loads(pickle.dumps(public)) is public
        typing.get_type_hints(public)  # annotations are found there, too
    with pytest.raises(Error) as caught:
        mobilenet.network("resnet")
    shown = "".join(traceback.format_exception_only(caught.type, caught.value))
    assert shown.startswith("mobilenet.Error: network: unknown 'resnet'")


C_NAMES = r"mbn_|MBN_|input_height|input_width|stage_count|NULL|options\.|batch:|kind:"


def test_messages_speak_python(model, model_bytes, batch):
    """Each names the argument as it is called here."""
    image = np.zeros((64, 64, 3), np.uint8)
    headless = mobilenet.load(model_bytes, headless=True)
    for start, call in {
        "size: height 8 is outside 32 to 1024": lambda: model.run_images([image], size=8),
        "size: width 2000 is outside": lambda: model.preprocess([image], size=(64, 2000)),
        "size: height 9 is": lambda: model.embed([image], size=(9, 64)),
        "size: (1, 2, 3) is not a side": lambda: model.classify(image, size=(1, 2, 3)),
        "size: height: 4294967296 is out of range": lambda: model.classify(image, size=2**32),
        "input_size: height 8 is": lambda: mobilenet.network("mobilenet_v2", input_size=8),
        "input_size: width 8 is": lambda: mobilenet.init("mobilenet_v2", input_size=(64, 8)),
        "array: height 8 is outside": lambda: model.run(batch[:, :8]),
        "array: width 8 is outside": lambda: model.features(batch[:, :, :8], "pool"),
        "array: height 4 is outside": lambda: model.profile(batch[:1, :4]),
        "stages: none is asked for": lambda: model.features(batch, []),
        "stages[1]: mobilenet_v2 has no stage 'x'": lambda: model.features(batch, ["pool", "x"]),
        "the model was loaded headless; Model.features": lambda: headless.run(batch),
        "the model was loaded headless": lambda: headless.run_images([image]),
        "the model was loaded headless;": lambda: headless.classify(image),
        "threads: 5000 is not in 1 to 1024": lambda: mobilenet.load(model_bytes, threads=5000),
        "precision: 'bf16' is none of default, float32, bfloat16, int8, fastest": lambda: mobilenet.load(
            model_bytes, precision="bf16"
        ),
        "source: an empty path": lambda: mobilenet.load(""),
        "images[1]: height 0, width 64": lambda: model.run_images([image, image[:0]]),
        "images[1]: height 0": lambda: model.embed([image, image[:0]]),
        "image: height 70000, width 1": lambda: model.classify(np.zeros((70000, 1), np.uint8)),
        "images[2]: shape (9,), not": lambda: model.embed([image, image, image[0, :9, 0]]),
        "MOBILENET_ISA=mmx: expected names": lambda: _with_isa("mmx", model_bytes),
    }.items():
        with pytest.raises(Error) as caught:
            call()
        assert caught.value.message.startswith(start)
        assert not re.search(C_NAMES, caught.value.message), caught.value.message
    for start, call in {
        "source: NoneType is neither a path nor a buffer": lambda: mobilenet.load(None),
        "precision: NoneType is not the name of one": lambda: mobilenet.load(
            model_bytes, precision=None
        ),
        "threads: '2' is not a whole number": lambda: mobilenet.load(model_bytes, threads="2"),
        "size: height: 'x' is not a whole number": lambda: model.classify(image, size="x"),
        "image: NoneType of dtype object, not a uint8 array": lambda: model.classify(None),
    }.items():
        with pytest.raises(TypeError) as caught:
            call()
        assert str(caught.value).startswith(start)


def _with_isa(names, model_bytes):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MOBILENET_ISA", names)
        mobilenet.load(model_bytes)


def test_errors_can_be_pickled():
    error = pickle.loads(pickle.dumps(Error(Status.IO, "x: gone")))
    assert (error.status, error.message, str(error)) == (Status.IO, "x: gone", "x: gone")


def test_close(model_bytes, batch):
    with mobilenet.load(model_bytes) as model:
        model.run(batch)
    with pytest.raises(Error, match="closed"):
        model.run(batch)
    assert model.classes == CLASSES


# ---- Running -------------------------------------------------------------------------------------


def test_run(model, batch):
    logits = model.run(batch)
    assert logits.shape == (3, CLASSES) and logits.dtype == np.float32
    assert len(np.unique(logits)) == logits.size
    probabilities = model.run(batch, probabilities=True)
    np.testing.assert_allclose(probabilities, softmax(logits), rtol=1e-5)


def test_probabilities_are_what_the_file_says(model, model_bytes, batch):
    logits = model.run(batch)
    assert model.probabilities == "softmax"
    independent = mobilenet.load(
        with_metadata(model_bytes, format="mobilenet/2", probabilities="sigmoid")
    )
    assert independent.probabilities == "sigmoid"
    np.testing.assert_array_equal(independent.run(batch), logits)
    np.testing.assert_allclose(independent.run(batch, probabilities=True), sigmoid(logits), rtol=1e-6)
    values = mobilenet.load(with_metadata(model_bytes, format="mobilenet/2", probabilities="none"))
    assert values.probabilities == "none"
    with pytest.raises(Error, match="no probabilities"):
        values.run(batch, probabilities=True)


def test_run_equals_the_command(model, model_path, batch, command, tmp_path):
    np.save(tmp_path / "x.npy", batch)
    arguments = ["run", model_path, "--input", tmp_path / "x.npy", "--output", tmp_path / "y.npy"]
    subprocess.run([command, *arguments], check=True)
    np.testing.assert_array_equal(model.run(batch), np.load(tmp_path / "y.npy"))


def test_layouts_batches_and_strides_are_alike(model, batch):
    expected = model.run(batch)
    planes = np.ascontiguousarray(batch.transpose(0, 3, 1, 2))
    np.testing.assert_array_equal(model.run(planes, layout="NCHW"), expected)
    np.testing.assert_array_equal(model.run(planes.transpose(0, 2, 3, 1)), expected)
    np.testing.assert_array_equal(model.run(batch[::-1]), expected[::-1])
    for i in range(3):
        np.testing.assert_array_equal(model.run(batch[i : i + 1]), expected[i : i + 1])


def test_threads_inside_a_call_change_nothing(model, model_bytes, batch):
    threaded = mobilenet.load(model_bytes, threads=2)
    np.testing.assert_array_equal(threaded.run(batch), model.run(batch))


def test_other_sizes(model, random):
    for shape in ((1, 48, 80, 3), (1, 33, 97, 3), (1, 64, 64, 3)):
        assert model.run(random.standard_normal(shape, np.float32)).shape == (1, CLASSES)


def test_empty_batch(model):
    assert model.run(np.empty((0, SIDE, SIDE, 3), np.float32)).shape == (0, CLASSES)


def test_out(model, batch):
    out = np.full((3, CLASSES), np.nan, np.float32)
    assert model.run(batch, out=out) is out
    np.testing.assert_array_equal(out, model.run(batch))
    for wrong in (np.empty((2, CLASSES), np.float32), np.empty((CLASSES, 3), np.float32).T):
        with pytest.raises(Error, match="out"):
            model.run(batch, out=wrong)
    out.flags.writeable = False
    with pytest.raises(Error, match="out"):
        model.run(batch, out=out)
    with pytest.raises(TypeError, match="out"):
        model.run(batch, out=np.empty((3, CLASSES)))


def test_contiguous_input_is_not_copied(model, batch, monkeypatch):
    """The address that reaches the library is the array's own."""
    seen = []
    call = mobilenet._native.call

    def spy(function, *arguments, **options):
        seen.append(arguments)
        call(function, *arguments, **options)

    monkeypatch.setattr(mobilenet._native, "call", spy)
    out = np.empty((3, CLASSES), np.float32)
    model.run(batch, out=out)
    _, address, _, count, _, result = seen[-1]
    assert (address, count, result) == (batch.ctypes.data, 3, out.ctypes.data)
    model.features(batch[1:], "pool")
    assert seen[-1][1] == batch.ctypes.data + batch.strides[0]


@pytest.mark.parametrize("dtype", [np.float64, np.float16, np.uint8, np.int32, ">f4"])
def test_wrong_dtypes(model, batch, dtype):
    with pytest.raises(TypeError, match="float32"):
        model.run(batch.astype(dtype))


@pytest.mark.parametrize(
    "shape",
    [(SIDE, SIDE, 3), (1, SIDE, SIDE), (1, 3, SIDE, SIDE), (1, SIDE, SIDE, 4), (1, 31, 64, 3), ()],
)
def test_wrong_shapes(model, shape):
    with pytest.raises(Error) as caught:
        model.run(np.zeros(shape, np.float32))
    assert caught.value.status == Status.INVALID_ARGUMENT


def test_wrong_layout(model, batch):
    with pytest.raises(Error, match="layout: 'HWCN'"):
        model.run(batch, layout="HWCN")
    with pytest.raises(Error, match=r"\[batch, 3, height, width\]"):
        model.run(batch, layout="NCHW")


def test_nan_stays_in_its_image(model, batch):
    batch[1, 5, 5, 0] = np.nan
    logits = model.run(batch)
    assert np.isnan(logits[1]).all() and not np.isnan(logits[[0, 2]]).any()


# ---- Features and profile ------------------------------------------------------------------------


def test_features(model, batch):
    names = ["stride8", "block2", "pool", "classifier.1"]
    maps = model.features(batch, names)
    assert list(maps) == names
    shapes = {stage.name: stage.shape for stage in model.network.stages}
    assert maps["stride8"].shape == (3, *shapes["stride8"])
    assert maps["pool"].shape == (3, shapes["pool"][2])
    np.testing.assert_array_equal(maps["classifier.1"], model.run(batch))
    # The pool is the mean over the last map.
    last = model.features(batch, "stride32")["stride32"]
    np.testing.assert_allclose(last.mean(axis=(1, 2)), maps["pool"], rtol=1e-5, atol=1e-6)


def test_features_of_planes(model, batch):
    planes = np.ascontiguousarray(batch.transpose(0, 3, 1, 2))
    maps = model.features(planes, ["stride4", "pool"], layout="NCHW")
    expected = model.features(batch, ["stride4", "pool"])
    np.testing.assert_array_equal(maps["stride4"].transpose(0, 2, 3, 1), expected["stride4"])
    np.testing.assert_array_equal(maps["pool"], expected["pool"])


def test_features_of_other_sizes_and_of_nothing(model, random):
    array = random.standard_normal((2, 96, 64, 3), np.float32)
    assert model.features(array, "stride16")["stride16"].shape[:3] == (2, 6, 4)
    assert model.features(array[:0], "stride16")["stride16"].shape[:3] == (0, 6, 4)


def test_wrong_stages(model, batch):
    with pytest.raises(Error, match="no stage 'stride7'; there are .*stride8"):
        model.features(batch, ["pool", "stride7"])
    with pytest.raises(Error):
        model.features(batch, [])


def test_headless(model, model_bytes, batch):
    headless = mobilenet.load(model_bytes, headless=True)
    expected = model.features(batch, "pool")["pool"]
    np.testing.assert_array_equal(headless.features(batch, "pool")["pool"], expected)
    assert headless.bytes < model.bytes
    with pytest.raises(Error):
        headless.run(batch)


def test_a_file_without_a_classifier(batch, photo):
    shapes = {
        "features.0.0": (8, 3, 3, 3),
        "features.1.block.0.0": (8, 1, 3, 3),
        "features.1.block.1.0": (5, 8, 1, 1),
    }
    table = {
        "stem": {"channels": 8, "activation": "relu"},
        "rows": [{"kernel": 3, "channels": 5, "activation": "relu"}],
        "batch_norm": False,
        "logits": False,
    }
    header = {"__metadata__": {"format": "mobilenet/1", "network": "backbone"}}
    header["__metadata__"]["architecture"] = json.dumps(table)
    body = b""
    for name, shape in shapes.items():
        for parameter, sizes in ("weight", shape), ("bias", shape[:1]):
            values = np.linspace(-1, 1, math.prod(sizes), dtype=np.float32).tobytes()
            offsets = [len(body), len(body) + len(values)]
            entry = {"dtype": "F32", "shape": sizes, "data_offsets": offsets}
            header[f"{name}.{parameter}"] = entry
            body += values
    text = json.dumps(header).encode()
    model = mobilenet.load(struct.pack("<Q", len(text)) + text + body)
    assert model.classes == 0
    maps = model.features(batch, ["block0", "pool"])
    np.testing.assert_allclose(maps["pool"], maps["block0"].mean((1, 2)), rtol=1e-4)
    assert model.embed([photo]).shape == (1, 5)
    for run in lambda: model.run(batch), lambda: model.classify(photo):
        with pytest.raises(Error, match="has no classifier"):
            run()


def test_profile(model, batch):
    steps = model.profile(repeats=2)
    assert [layer for step in steps for layer in step.layers] == list(model.network.layers)
    assert sum(step.multiply_adds for step in steps) == model.multiply_adds
    assert all(step.seconds > 0 and step.bytes > 0 and step.tasks >= 1 for step in steps)
    assert len(model.profile(batch[:1], repeats=1)) == len(steps)
    with pytest.raises(Error, match="batch of 3"):
        model.profile(batch)
    with pytest.raises(Error, match="repeats"):
        model.profile(repeats=0)


def test_memory_is_given_back(model_bytes, batch, monkeypatch):
    """Every context and model that is made is freed, the model last."""
    freed = []
    from mobilenet._native import library

    frees = {"mbn_context_free": library.mbn_context_free, "mbn_model_free": library.mbn_model_free}
    for name, free in frees.items():
        def spy(pointer, name=name, free=free):
            freed.append(name)
            free(pointer)

        monkeypatch.setattr(library, name, spy)
    model = mobilenet.load(model_bytes)
    model.run(batch)
    model.features(batch, "pool")
    del model
    gc.collect()
    assert freed == ["mbn_context_free", "mbn_context_free", "mbn_model_free"]
