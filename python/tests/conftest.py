"""Small models with seeded weights, and what the tests have in common.

MOBILENET_LIBRARY names the library to test; without it, it is the installed package's.
MOBILENET_COMMAND names the command `mobilenet`, for tests that compare with it."""

import json
import os

import numpy as np
import pytest

import mobilenet

SIDE = 64
CLASSES = 7


def with_metadata(model_bytes, **entries):
    """The same file with other metadata, all of it text."""
    size = int.from_bytes(model_bytes[:8], "little")
    header = json.loads(model_bytes[8 : 8 + size])
    header["__metadata__"].update(entries)
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    return len(text).to_bytes(8, "little") + text + model_bytes[8 + size :]


@pytest.fixture(scope="session")
def model_bytes():
    return mobilenet.init("mobilenet_v2", 1, width=0.25, input_size=SIDE, classes=CLASSES)


@pytest.fixture(scope="session")
def model_path(model_bytes, tmp_path_factory):
    path = tmp_path_factory.mktemp("model") / "v2.safetensors"
    path.write_bytes(model_bytes)
    return path


@pytest.fixture(scope="session")
def model(model_bytes):
    return mobilenet.load(model_bytes)


@pytest.fixture
def random():
    return np.random.default_rng(3)


@pytest.fixture
def batch(random):
    return random.standard_normal((3, SIDE, SIDE, 3), np.float32)


@pytest.fixture
def photo(random):
    """RGB noise of awkward sizes, smoothed so that resizing has something to see."""
    noise = random.integers(0, 256, (91, 123, 3), np.uint8)
    return ((noise.astype(np.uint16) + np.roll(noise, 1, 0) + np.roll(noise, 1, 1)) // 3).astype(
        np.uint8
    )


@pytest.fixture(scope="session")
def command():
    path = os.environ.get("MOBILENET_COMMAND")
    if not path:
        pytest.skip("MOBILENET_COMMAND is not set")
    return path
