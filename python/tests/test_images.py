"""Images: where their pixels are, and what PIL's modes become."""

import json
import mmap
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import mobilenet
from conftest import CLASSES, SIDE, with_metadata
from mobilenet import Error, Preprocessing, Status
from mobilenet._images import image_record

Image = pytest.importorskip("PIL.Image")


def address(image):
    return image_record(image)[0].pixels


# ---- Arrays --------------------------------------------------------------------------------------


def test_results(model, photo):
    logits = model.run_images([photo, photo[:, ::-1]])
    assert logits.shape == (2, CLASSES) and not np.array_equal(logits[0], logits[1])
    np.testing.assert_array_equal(model.run(model.preprocess([photo])), logits[:1])
    np.testing.assert_array_equal(model.run_images(np.stack([photo] * 2))[1], logits[0])
    np.testing.assert_array_equal(model.run_images(p for p in [photo]), logits[:1])
    assert model.run_images([]).shape == (0, CLASSES)
    assert model.preprocess([]).shape == (0, SIDE, SIDE, 3)


def test_preprocessing_is_pillow_and_the_normalisation(model, photo):
    resize, (mean, deviation) = model.preprocessing.resize, model.preprocessing[:2]
    assert resize == 0  # straight to the input size
    small = Image.fromarray(photo).resize((SIDE, SIDE), Image.BILINEAR)
    expected = (np.asarray(small) / 255 - mean) / np.array(deviation)
    np.testing.assert_allclose(model.preprocess([photo])[0], expected, atol=1e-5)


PILLOW = {
    "bilinear": Image.BILINEAR,
    "bicubic": Image.BICUBIC,
    "nearest": Image.NEAREST,
    "area": Image.BOX,
}


@pytest.mark.parametrize("interpolation", PILLOW)
def test_another_preprocessing(model, photo, interpolation):
    mean, deviation = (0.1, 0.2, 0.3), (1.0, 2.0, 0.5)
    other = Preprocessing(mean, deviation, interpolation=interpolation, fit="squash")
    small = Image.fromarray(photo).resize((SIDE, SIDE), PILLOW[interpolation])
    expected = (np.asarray(small) / 255 - mean) / np.array(deviation)
    array = model.preprocess([photo], preprocessing=other)
    np.testing.assert_allclose(array[0], expected, atol=1e-6)
    logits = model.run(array)
    np.testing.assert_array_equal(model.run_images([photo], preprocessing=other), logits)
    assert not np.array_equal(model.run_images([photo]), logits)
    best = model.classify(photo, top=1, preprocessing=other)
    assert best[0].class_index == logits.argmax()
    np.testing.assert_array_equal(
        model.embed([photo], preprocessing=other), model.features(array, "pool")["pool"]
    )


def test_letterbox(model, photo):
    """The photo is 123x91."""
    other = model.preprocessing._replace(fit="letterbox", fill=[255, 0, 51])
    height = round(91 / (123 / SIDE))
    above = (SIDE - height) // 2
    array = model.preprocess([photo], preprocessing=other)[0]
    small = Image.fromarray(photo).resize((SIDE, height), Image.BILINEAR)
    mean, deviation = model.preprocessing[:2]
    expected = (np.asarray(small) / 255 - mean) / np.array(deviation)
    np.testing.assert_allclose(array[above : above + height], expected, atol=1e-5)
    fill = ((1, 0, 0.2) - np.array(mean)) / deviation
    for border in (array[:above], array[above + height :]):
        np.testing.assert_allclose(border, np.broadcast_to(fill, border.shape), atol=1e-5)


def test_tensorflow(model):
    """Half-pixel centres without antialiasing: 0, 100, 200, 40 at 0.5 and 2.5."""
    row = np.array([[0, 100, 200, 40]] * 2, np.uint8)
    wide = np.repeat(row, SIDE // 2, axis=1)
    other = Preprocessing((0.0,) * 3, (1 / 255,) * 3, resampling="tensorflow")
    array = model.preprocess([np.repeat(wide, SIDE, axis=0)], preprocessing=other)[0]
    assert array.shape == (SIDE, SIDE, 3)
    np.testing.assert_allclose(array[0, :: SIDE // 4, 0], [0, 100, 200, 40], atol=1e-3)
    np.testing.assert_allclose(
        model.preprocess([row[:, :2]], preprocessing=other, size=32)[0, 0, :, 0],
        np.clip((np.arange(32) + 0.5) / 16 - 0.5, 0, 1) * 100,
        atol=1e-3,
    )


def test_preprocessing_out_of_range(model, photo):
    own = model.preprocessing
    for field, value, message in [
        ("mean", (0, 0), "preprocessing.mean: 2 numbers, not 3"),
        ("mean", (0, float("nan"), 0), r"preprocessing.mean\[1\]: nan"),
        ("standard_deviation", (1, 1, 0), r"preprocessing.standard_deviation\[2\]: 0"),
        ("resize", -1, "preprocessing.resize: -1"),
        ("interpolation", "lanczos", "'lanczos' is none of bilinear"),
        ("resampling", "opencv", "'opencv' is none of pillow"),
        ("fit", "stretch", "'stretch' is none of crop"),
        ("fill", (0, 0, 256), r"preprocessing.fill\[2\]: 256"),
    ]:
        refuse(model, photo, own._replace(**{field: value}), Error, message)
    for wrong, message in [
        ((0.5, 0.5), r"preprocessing: a tuple, not a Preprocessing; model.preprocessing._replace"),
        (own._replace(mean=None), "preprocessing.mean: None is no sequence of numbers"),
        (own._replace(fill="black"), "preprocessing.fill: 'black' is no sequence of numbers"),
        (own._replace(resize=1.5), "preprocessing.resize: 1.5 is not a whole number"),
    ]:
        refuse(model, photo, wrong, TypeError, message)


def refuse(model, photo, preprocessing, error, message):
    """Whatever takes images says so."""
    for run in model.run_images, model.preprocess, model.embed, lambda photos, **how: model.classify(
        photos[0], **how
    ):
        with pytest.raises(error, match=message):
            run([photo], preprocessing=preprocessing)


def test_size(model, photo):
    assert model.preprocess([photo], size=(48, 96)).shape == (1, 48, 96, 3)
    array = model.preprocess([photo], size=96)
    np.testing.assert_array_equal(model.run_images([photo], size=96), model.run(array))
    with pytest.raises(Error, match="size: height 8 is outside"):
        model.run_images([photo], size=8)


def views(photo):
    """Views that must be read where they are, with the address of what the library reads first."""
    flipped, bgra = photo[::-1], np.dstack([photo, photo[..., :1]])
    yield "whole", photo, photo.ctypes.data
    yield "crop", photo[10:70, 20:90], photo.ctypes.data + 10 * photo.strides[0] + 20 * 3
    yield "upside down", flipped, flipped.ctypes.data
    yield "every other row", photo[::2], photo.ctypes.data
    yield "BGR", photo[..., ::-1], photo.ctypes.data
    yield "crop of BGR", photo[5:60, 7:80][..., ::-1], photo[5:, 7:].ctypes.data
    yield "RGBA", bgra, bgra.ctypes.data
    yield "crop of RGBA", bgra[3:, 4:], bgra[3:, 4:].ctypes.data


def test_views_are_read_where_they_are(model, photo):
    for name, view, first in views(photo):
        assert address(view) == first, name
        copy = np.ascontiguousarray(view[..., :3])
        np.testing.assert_array_equal(
            model.run_images([view]), model.run_images([copy]), err_msg=name
        )


def test_other_strides_are_copied(model, photo):
    for view in (photo[:, ::-1], photo[:, ::2], photo.transpose(1, 0, 2), photo[:1, :1][:, ::-1]):
        copy = np.ascontiguousarray(view)
        np.testing.assert_array_equal(model.run_images([view]), model.run_images([copy]))
    row = np.broadcast_to(photo[0], photo.shape)
    np.testing.assert_array_equal(model.run_images([row]), model.run_images([row.copy()]))


def test_grey(model, photo):
    grey = photo[..., 0]  # a channel of it: strided, copied
    rgb = np.dstack([grey] * 3)
    for same in (grey, grey.copy(), grey[..., np.newaxis], Image.fromarray(grey.copy())):
        np.testing.assert_array_equal(model.run_images([same]), model.run_images([rgb]))


@pytest.mark.parametrize(
    "image", [np.zeros((4, 4, 3)), np.zeros((4, 4, 3), np.int8), [[1, 2], [3, 4]], 7, None]
)
def test_wrong_types(model, image):
    with pytest.raises(TypeError, match="uint8"):
        model.run_images([image])


@pytest.mark.parametrize("shape", [(4,), (4, 4, 5), (1, 4, 4, 3), (0, 4, 3), (4, 0, 3)])
def test_wrong_shapes(model, shape):
    with pytest.raises(Error):
        model.run_images([np.zeros(shape, np.uint8)])


MODES = {1: "L", 2: "LA", 3: "RGB", 4: "RGBA"}


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_channels(photo, random, channels):
    """Every network gets its channels of every image, as Pillow converts them."""
    data = mobilenet.init("mobilenet_v1", width=0.1, input_size=40, input_channels=channels)
    grey_or_colour = mobilenet.load(data)
    assert grey_or_colour.network.input_channels == channels
    assert len(grey_or_colour.preprocessing.mean) == channels
    alpha = random.integers(0, 256, photo.shape[:2], np.uint8)
    picture = Image.fromarray(np.dstack([photo, alpha])).crop((0, 0, 40, 40))
    for mode in MODES.values():
        image = picture.convert(mode)
        values = np.asarray(image.convert(MODES[channels])).reshape(1, 40, 40, channels)
        expected = ((values / 255 - 0.5) / 0.5).astype(np.float32)
        for same in image, np.asarray(image):
            np.testing.assert_array_equal(grey_or_colour.preprocess([same]), expected)
        np.testing.assert_array_equal(
            grey_or_colour.run_images([image]), grey_or_colour.run(expected)
        )
    wrong = np.zeros((1, 40, 40, channels + 1), np.float32)
    with pytest.raises(Error, match=rf"height, width, {channels}\]"):
        grey_or_colour.run(wrong)
    assert len(grey_or_colour.profile(repeats=1)) > 0


def test_transparent_colours_are_alpha(photo):
    model = mobilenet.load(mobilenet.init("mobilenet_v1", width=0.1, input_size=40, input_channels=4))
    palette = Image.fromarray(photo[:40, :40]).convert("P")
    palette.info["transparency"] = int(np.asarray(palette)[0, 0])
    expected = np.asarray(palette.convert("RGBA"))
    assert expected[0, 0, 3] == 0
    np.testing.assert_array_equal(model.preprocess([palette]), model.preprocess([expected]))


def test_one_image_is_no_list(model, photo):
    path = Path("x.png")
    encoded = [b"\x89PNG", bytearray(b"BM"), memoryview(b"BM")]
    for single in (photo, photo[..., 0], Image.fromarray(photo), path, str(path), *encoded):
        for method in (model.run_images, model.preprocess, model.embed):
            with pytest.raises(TypeError, match="list"):
                method(single)


# ---- Files ---------------------------------------------------------------------------------------


def test_paths_and_bytes(model, photo, tmp_path, monkeypatch):
    Image.fromarray(photo).save(tmp_path / "a.png")
    Image.fromarray(photo).save(tmp_path / "a.jpg", quality=60)
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(photo).save(tmp_path / "turned.webp", exif=exif, lossless=True)
    for name in "a.png", "a.jpg", "turned.webp":
        path = tmp_path / name
        data = path.read_bytes()
        with Image.open(path) as opened:
            expected = model.run_images([opened])
        same = [path, str(path), data, bytearray(data), memoryview(data)]
        with path.open("rb") as file:
            same.append(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
        for image in same:
            np.testing.assert_array_equal(model.run_images([image]), expected)
        np.testing.assert_array_equal(model.run_images(same), np.repeat(expected, len(same), 0))
        assert model.classify(path) == model.classify(data)
        np.testing.assert_array_equal(model.embed([path]), model.embed([data]))
        np.testing.assert_array_equal(model.preprocess([path]), model.preprocess([data]))
    np.testing.assert_array_equal(  # against the pixels themselves
        model.run_images([tmp_path / "a.png"]), model.run_images([photo])
    )
    pixels = memoryview(photo)  # three dimensions: no file
    np.testing.assert_array_equal(model.run_images([pixels]), model.run_images([photo]))


def test_files_that_are_no_images(model, photo, tmp_path):
    (tmp_path / "notes.jpg").write_bytes(b"no image")
    Image.fromarray(photo).save(tmp_path / "a.png")
    (tmp_path / "cut.png").write_bytes((tmp_path / "a.png").read_bytes()[:-900])
    for image, status, message in (
        (tmp_path / "none.jpg", Status.IO, f"{tmp_path}/none.jpg: No such file or directory"),
        (str(tmp_path), Status.IO, f"{tmp_path}: Is a directory"),
        (tmp_path / "notes.jpg", Status.MALFORMED, "notes.jpg: not an image that Pillow reads"),
        (tmp_path / "cut.png", Status.MALFORMED, "cut.png: image file is truncated"),
        (b"no image", Status.MALFORMED, "images[1]: not an image that Pillow reads"),
        (b"", Status.MALFORMED, "images[1]: not an image that Pillow reads"),
    ):
        with pytest.raises(Error) as caught:
            model.run_images([photo, image])
        assert caught.value.status == status and message in caught.value.message


def test_without_pillow(model, monkeypatch):
    monkeypatch.setitem(sys.modules, "PIL", None)
    with pytest.raises(ImportError, match=r"images\[0\]: Pillow .*mobilenet\[images\]"):
        model.embed(["a.png"])


# ---- PIL -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "L", "LA", "P", "1", "CMYK", "YCbCr", "HSV", "RGBX"])
def test_modes(model, photo, mode):
    """Against Pillow's own conversion to RGB."""
    converted = Image.fromarray(photo).convert(mode)
    expected = model.run_images([np.asarray(converted.convert("RGB"))])
    np.testing.assert_array_equal(model.run_images([converted]), expected)


def test_alpha_is_ignored(model, photo):
    opaque = Image.fromarray(photo)
    clear = opaque.copy()
    clear.putalpha(7)
    np.testing.assert_array_equal(model.run_images([clear]), model.run_images([opaque]))
    palette = opaque.convert("P")
    expected = model.run_images([palette])
    palette.info["transparency"] = 3
    np.testing.assert_array_equal(model.run_images([palette]), expected)


@pytest.mark.parametrize("mode", ["I", "I;16", "I;16B"])
def test_16_bits(model, photo, mode):
    upper = photo[..., 0].astype(np.uint16)
    values = upper * 256 + photo[..., 1]
    dtype = {"I": "<i4", "I;16": "<u2", "I;16B": ">u2"}[mode]
    image = Image.frombytes(mode, values.shape[::-1], values.astype(dtype).tobytes())
    np.testing.assert_array_equal(
        model.run_images([image]), model.run_images([photo[..., 0].copy()])
    )


def test_modes_without_8_bit_pixels(model):
    with pytest.raises(TypeError, match="mode F"):
        model.run_images([Image.new("F", (9, 9))])
    for value in (-1, 65536):
        with pytest.raises(Error, match="16 bits"):
            model.run_images([Image.new("I", (9, 9), value)])


@pytest.mark.parametrize("mode", ["I", "I;16", "I;16B"])
def test_8_bits_in_modes_of_16_are_refused(model, photo, mode, tmp_path):
    """They were read as black."""
    grey = Image.fromarray(photo[..., 0].copy())
    image = grey.convert(mode)
    with pytest.raises(Error, match=f"mode {mode} with no value above"):
        model.run_images([image])
    image.save(tmp_path / "x.tiff")
    with Image.open(tmp_path / "x.tiff") as opened, pytest.raises(Error, match="8 bits"):
        model.run_images([opened])
    np.testing.assert_array_equal(
        model.run_images([image.convert("L")]), model.run_images([grey])
    )
    black = Image.new("L", (9, 9))
    np.testing.assert_array_equal(
        model.run_images([black.convert(mode)]), model.run_images([black])
    )


def test_16_bit_png_file(model, photo, tmp_path):
    values = photo[..., 0].astype(np.uint16) * 256 + photo[..., 1]
    Image.fromarray(values).save(tmp_path / "x.png")
    with Image.open(tmp_path / "x.png") as opened:
        assert opened.mode in ("I", "I;16")  # by Pillow's version
        np.testing.assert_array_equal(
            model.run_images([opened]), model.run_images([photo[..., 0].copy()])
        )


@pytest.mark.parametrize("mode", ["LAB", "PA", "RGBa", "La"])
def test_rare_modes(model, photo, mode):
    """LAB and premultiplied modes, against Pillow's conversion by way of those that it has."""
    source = Image.fromarray(photo)
    if mode == "LAB":
        image = Image.frombytes(mode, source.size, source.tobytes())
        expected = image.convert("RGB")
    elif mode == "PA":
        image = source.convert("P").convert(mode)
        expected = source.convert("P").convert("RGB")
    else:
        with_alpha = source.convert("RGBA" if mode == "RGBa" else "LA")
        with_alpha.putalpha(100)
        image = with_alpha.convert(mode)
        expected = image.convert(with_alpha.mode).convert("RGB" if mode == "RGBa" else "L")
    np.testing.assert_array_equal(model.run_images([image]), model.run_images([expected]))


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation(model, photo, orientation, tmp_path):
    image = Image.fromarray(photo)
    exif = image.getexif()
    exif[0x0112] = orientation
    image.save(tmp_path / "turned.png", exif=exif)
    turned = {  # what shows the image upright, by EXIF 2.3's table
        1: photo,
        2: photo[:, ::-1],
        3: photo[::-1, ::-1],
        4: photo[::-1],
        5: photo.transpose(1, 0, 2),
        6: photo.transpose(1, 0, 2)[:, ::-1],
        7: photo.transpose(1, 0, 2)[::-1, ::-1],
        8: photo.transpose(1, 0, 2)[::-1],
    }[orientation]
    with Image.open(tmp_path / "turned.png") as opened:
        np.testing.assert_array_equal(model.run_images([opened]), model.run_images([turned]))


def test_damaged_exif_is_upright(model, photo, tmp_path):
    Image.fromarray(photo).save(tmp_path / "x.png", exif=b"Exif\0\0no TIFF header")
    with Image.open(tmp_path / "x.png") as opened:
        np.testing.assert_array_equal(model.run_images([opened]), model.run_images([photo]))


# ---- What is made of them ------------------------------------------------------------------------


def test_arrays_while_pillow_is_imported(monkeypatch, photo):
    """Another thread's import has put the module there, and nothing into it yet."""
    monkeypatch.setitem(sys.modules, "PIL.Image", type(sys)("PIL.Image"))
    assert address(photo) == photo.ctypes.data


def test_classify(model, photo):
    probabilities = model.run_images([photo], probabilities=True)[0]
    predictions = model.classify(Image.fromarray(photo), top=3)
    best = np.argsort(-probabilities, kind="stable")[:3]
    assert [p.class_index for p in predictions] == best.tolist()
    assert [p.probability for p in predictions] == probabilities[best].tolist()
    assert all(p.label is None for p in predictions)
    assert len(model.classify(photo, top=100)) == CLASSES
    assert model.classify(photo, top=0) == []
    with pytest.raises(Error, match="top"):
        model.classify(photo, top=-1)


def test_classify_sigmoids(photo):
    def load(kind, labels=None, classes=CLASSES):
        data = mobilenet.init("mobilenet_v1", 2, width=0.1, input_size=SIDE, classes=classes)
        entries = {"labels": json.dumps(labels)} if labels else {}
        return mobilenet.load(
            with_metadata(data, format="mobilenet/2", probabilities=kind, **entries)
        )

    values = {p.class_index: p.probability for p in load("none").classify(photo, CLASSES)}
    assert values == dict(enumerate(load("none").run_images([photo])[0].tolist()))
    several = load("sigmoid", [f"label {i}" for i in range(CLASSES)]).classify(photo, CLASSES)
    assert [p.probability for p in several] == sorted((p.probability for p in several), reverse=True)
    for p in several:
        assert p.label == f"label {p.class_index}"
        assert p.probability == pytest.approx(1 / (1 + np.exp(-values[p.class_index])), rel=1e-6)

    value = load("none", classes=1).classify(photo)[0].probability
    yes = 1 / (1 + np.exp(-value))
    for labels in ["cat", "dog"], None:
        model = load("sigmoid", labels, 1)
        assert model.labels == (tuple(labels) if labels else None)
        got = {p.class_index: (p.label, p.probability) for p in model.classify(photo)}
        assert got[1] == (labels and "dog", pytest.approx(yes, rel=1e-6))
        assert got[0] == (labels and "cat", pytest.approx(1 - yes, rel=1e-5))
        (best,) = model.classify(photo, top=1)
        assert best.class_index == (yes > 0.5)
    (only,) = load("sigmoid", ["cat"], 1).classify(photo)
    assert only == (0, "cat", pytest.approx(yes, rel=1e-6))


def test_embed(model, photo):
    images = [photo, photo[::-1]]
    vectors = model.embed(images)
    expected = model.features(model.preprocess(images), "pool")["pool"]
    np.testing.assert_array_equal(vectors, expected)
    unit = model.embed(images, normalize=True)
    lengths = np.linalg.norm(expected, axis=1, keepdims=True)
    np.testing.assert_allclose(unit, expected / lengths, rtol=1e-6)
    assert model.embed([]).shape == (0, vectors.shape[1])


@pytest.mark.parametrize("normalize", [False, True])
def test_embed_equals_the_command(model, model_path, photo, command, tmp_path, normalize):
    paths = [tmp_path / "a.png", tmp_path / "b.bmp"]
    Image.fromarray(photo).convert("P").save(paths[0])
    Image.fromarray(photo[::-1]).save(paths[1])
    output = tmp_path / "e.npy"
    arguments = [command, "embed", model_path, *paths, "--output", output]
    subprocess.run(arguments + ["--normalize"] * normalize, check=True)
    vectors = model.embed(map(Image.open, paths), normalize)
    np.testing.assert_allclose(vectors, np.load(output), rtol=1e-6 if normalize else 0)
