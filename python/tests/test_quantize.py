"""mobilenet.quantize: the numbers are tested with the command (tests/tools/quantize.py)."""

import math
import pickle

import numpy as np
import pytest

import mobilenet

from conftest import CLASSES, SIDE


@pytest.fixture
def images(random):
    return random.standard_normal((9, SIDE, SIDE, 3), np.float32)


def test_file_and_losses(model_path, model, images, tmp_path):
    seen = []
    quantized = mobilenet.quantize(
        model_path, images, progress=lambda done, total: seen.append((done, total))
    )
    quantized.save(tmp_path / "q.safetensors")
    loaded = mobilenet.load(tmp_path / "q.safetensors")
    assert loaded.precision == "int8"
    assert [layer.name for layer in loaded.network.layers] == [
        layer.name for layer in model.network.layers
    ]
    assert (quantized.calibrated, quantized.held_out, quantized.left_out) == (7, 2, {})
    assert seen[-1][0] == seen[-1][1] == 18
    assert [done for done, _ in seen] == list(range(1, 19))
    # What is said of the outputs is so of the images that are held out.
    floats, integers = (m.run(images[3::4]).astype("f8") for m in (model, loaded))
    noise = ((floats - integers) ** 2).sum()
    loss = quantized.kept.loss
    assert loss.decibels == pytest.approx(10 * math.log10((floats**2).sum() / noise), abs=1e-6)
    assert loss.decibels == max(trial.loss.decibels for trial in quantized.trials) or CLASSES < 16
    assert len(quantized.trials) == 12
    assert {trial.method for trial in quantized.trials} == {"minmax", "percentile", "mse"}
    assert quantized.layers[-1].decibels == pytest.approx(loss.decibels, abs=1e-6)
    assert "Quantized" in repr(quantized) and pickle.loads(pickle.dumps(quantized)) == quantized


def test_threads_and_method(model_path, images):
    one, three = (
        mobilenet.quantize(model_path, images, method="mse", threads=threads) for threads in (1, 3)
    )
    assert one == three
    assert {trial.method for trial in one.trials} == {"mse"}


def test_images(model_path, photo, tmp_path):
    """Images of any kind, an iterator of them too; what cannot be read is left out by its number."""
    broken = tmp_path / "broken.png"
    broken.write_bytes(b"no image")
    quantized = mobilenet.quantize(model_path, iter([photo, broken, photo[::-1]]), method="minmax")
    assert list(quantized.left_out) == [1]
    assert "broken.png" in quantized.left_out[1]
    assert (quantized.calibrated, quantized.held_out) == (2, 0)


def test_keep_float(model_path, images):
    quantized = mobilenet.quantize(model_path, images, keep_float=["features.0.0"])
    assert quantized.layers[0].floats and math.isinf(quantized.layers[0].decibels)
    assert not quantized.layers[1].floats


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"method": "max"}, "method: 'max' is none of best, minmax, percentile, mse"),
        ({"keep_float": ["x"]}, "keep_float: x is no layer with weights"),
        ({"threads": -1}, "threads: -1 is not in 0..1024"),
    ],
)
def test_options(model_path, images, options, message):
    with pytest.raises(mobilenet.Error, match=message):
        mobilenet.quantize(model_path, images, **options)


def test_wrong_images(model_path, images, tmp_path):
    with pytest.raises(mobilenet.Error, match="images: there are none"):
        mobilenet.quantize(model_path, [])
    with pytest.raises(mobilenet.Error, match=r"images: shape \(9, 32, 64, 3\), not"):
        mobilenet.quantize(model_path, images[:, ::2])
    with pytest.raises(TypeError, match="put a single image into a list"):
        mobilenet.quantize(model_path, "photo.jpg")
    with pytest.raises(TypeError, match="keep_float: not an iterable of names"):
        mobilenet.quantize(model_path, images, keep_float="features.0.0")
    with pytest.raises(mobilenet.Error, match=r"no image can be read: .*nothing\.png"):
        mobilenet.quantize(model_path, [tmp_path / "nothing.png"])
    (tmp_path / "q.safetensors").write_bytes(mobilenet.quantize(model_path, images).file)
    with pytest.raises(mobilenet.Error, match="is quantised already"):
        mobilenet.quantize(tmp_path / "q.safetensors", images)
