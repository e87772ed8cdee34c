"""The examples, as a user runs them."""

import io
import json
import subprocess
import sys
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import urlopen

import numpy as np
import pytest

Image = pytest.importorskip("PIL.Image")

EXAMPLES = Path(__file__).resolve().parents[1] / "examples"


@pytest.fixture
def directory(photo, tmp_path):
    """Three images and a file that is none."""
    images = tmp_path / "images"
    (images / "sub").mkdir(parents=True)
    Image.fromarray(photo).save(images / "b.png")
    Image.fromarray(photo[::-1]).save(images / "a.png")
    Image.fromarray(photo[:40]).save(images / "sub" / "c.BMP")
    (images / "broken.jpg").write_bytes(b"\xff\xd8\xff no image")
    return images


def run(name, *arguments):
    command = [sys.executable, EXAMPLES / name, *arguments]
    return subprocess.run(command, capture_output=True, text=True)


def test_embed_directory(model, model_path, photo, directory, tmp_path):
    output = tmp_path / "e.npy"
    done = run("embed_directory.py", model_path, directory, output, "--processes", "2")
    assert done.returncode == 1 and "broken.jpg: " in done.stderr
    assert "3 of 4 images" in done.stdout
    names = [Path(line).name for line in output.with_suffix(".txt").read_text().splitlines()]
    assert names == ["a.png", "b.png", "c.BMP"]
    expected = model.embed([photo[::-1], photo, photo[:40]], normalize=True)
    np.testing.assert_array_equal(np.load(output), expected)


@pytest.mark.parametrize("threads", ["1", "2"])
def test_serve(model, model_path, photo, tmp_path, threads):
    """Processes that were forked from one that had run answer as the model does."""
    command = [sys.executable, EXAMPLES / "serve.py", model_path, "--port", "0"]
    command += ["--processes", "2", "--threads", threads]
    server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        url = server.stdout.readline().split()[-1]
        png = io.BytesIO()
        Image.fromarray(photo).save(png, "png")
        expected = [p._asdict() for p in model.classify(photo)]
        for _ in range(6):
            with urlopen(url, png.getvalue()) as response:
                answer = json.load(response)
            assert answer["process"] != server.pid
            assert answer["classes"] == expected
        with pytest.raises(HTTPError) as failure:
            urlopen(url, b"no image")
        assert failure.value.code == 400
    finally:
        server.terminate()
        assert server.wait() == 0


def test_embed_ray(model, model_path, photo, directory, tmp_path):
    pytest.importorskip("ray.data")
    parquet = pytest.importorskip("pyarrow.parquet")
    output = tmp_path / "embeddings"
    done = run("embed_ray.py", model_path, directory, output)
    if "leave none for reading" in done.stderr:
        pytest.skip("needs two CPUs")
    assert done.returncode == 0, done.stderr
    assert "4 files, 1 of them unreadable" in done.stdout
    rows = parquet.read_table(output).to_pylist()
    found = {Path(row["path"]).name: row for row in rows}
    expected = model.embed([photo[::-1], photo, photo[:40]], normalize=True)
    for name, vector in zip(["a.png", "b.png", "c.BMP"], expected):
        assert found[name]["error"] is None
        np.testing.assert_array_equal(np.float32(found[name]["embedding"]), vector)
    assert found["broken.jpg"]["error"]
