"""Files that are nothing that can be imported, known by their first bytes: what they are, and what to
do about it."""
import os
import re

from .archive import Archive
from .errors import ImportFailure

_ZIP = b"PK\x03\x04"

# First bytes, what the file is, the remedy.
_BEGINNINGS = (
    (b"version https://git-lfs.github.com/spec/", "a Git-LFS pointer, not the file that it stands for",
     "run `git lfs pull` in its repository, or download the file itself"),
    (b"\x93NUMPY", "a numpy array (.npy)", "import the checkpoint; inputs are for `mobilenet run`"),
    (b"\x1f\x8b", "compressed by gzip", "run `gunzip` first"),
    (b"BZh", "compressed by bzip2", "run `bunzip2` first"),
    (b"\xfd7zXZ\x00", "compressed by xz", "run `xz -d` first"),
    (b"\x28\xb5\x2f\xfd", "compressed by zstd", "run `zstd -d` first"),
    (b"7z\xbc\xaf\x27\x1c", "a 7-Zip archive", "unpack it first"),
    (b"Rar!", "a RAR archive", "unpack it first"),
    (b"GGUF", "a GGUF file of a language model", "no MobileNet is written so"),
    (b"\xff\xd8\xff", "a JPEG image", "import a network; `mobilenet classify` reads images"),
    (b"\x89PNG", "a PNG image", "import a network; `mobilenet classify` reads images"),
    (b"GIF8", "a GIF image", "import a network"),
    (b"%PDF", "a PDF document", "import a network"),
    (b"\x7fELF", "a program", "import a network"),
    (b"PTMODEL", "a PaddlePaddle file", "export it to ONNX with paddle2onnx"),
)
_ONNX = "export it to ONNX (torch.onnx.export, tf2onnx)"
_SAVED_MODEL = ("convert it: `python3 -c \"import tensorflow as tf; open('m.tflite', 'wb').write("
                "tf.lite.TFLiteConverter.from_saved_model('FOLDER').convert())\"`, then import "
                "m.tflite")


def of_folder(path):
    """(what a folder is, the remedy)"""
    try:
        names = set(os.listdir(path))
    except OSError:
        names = set()
    if "saved_model.pb" in names:
        return "a TensorFlow SavedModel folder", _SAVED_MODEL.replace("FOLDER", path)
    if "keras_metadata.pb" in names:
        return "a folder that Keras saved", _SAVED_MODEL.replace("FOLDER", path)
    for name in ("model.safetensors", "pytorch_model.bin", "model.onnx", "model.keras"):
        if name in names:
            return "a folder", f"import {os.path.join(path, name)}"
    if "Manifest.json" in names:
        return "a Core ML package", "import the network that it was made from"
    if {"data.pkl", "version"} <= names:
        return "an unpacked PyTorch checkpoint", "import the file itself, or zip it with its folder"
    return "a folder", "give the file in it that holds the weights"


def of_data(data, name=""):
    """(what a file is, the remedy); None where nothing is known of it."""
    if not data:
        return "empty", "download it again"
    if data[4:8] == b"ORTM":
        return "an ONNX Runtime file (.ort)", "import the ONNX file that it was made from"
    for beginning, what, remedy in _BEGINNINGS:
        if data.startswith(beginning):
            return what, remedy
    if data.startswith(_ZIP):
        return _of_zip(data)
    head = data[:2048].lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if head.startswith((b"<!doctype html", b"<html", b"<head")) or b"<html" in head[:512]:
        return "an HTML page, not the file that was to be downloaded", \
            "download the file itself (a hub's page has /resolve/ or /raw/ where /blob/ is)"
    if head.startswith(b"<?xml") or head.startswith(b"<net"):
        return "XML, as OpenVINO writes networks", "import the network that it was made from"
    if data[257:262] == b"ustar":
        return "a tar archive", "unpack it, and import the file in it that holds the weights"
    if head[:1] in (b"{", b"["):
        return _of_json(head)
    if _is_tensorflow_graph(data):
        return "a TensorFlow graph (saved_model.pb or a frozen graph)", _SAVED_MODEL
    if re.search(r"\.(index|meta|data-\d+-of-\d+|ckpt)$", name):
        return "of a TensorFlow checkpoint", \
            "build the network in Keras, load the weights there, and save it as .keras"
    if data[:4] in (b"\x12\x01\x00\x00", b"\xce\xfa\xed\xfe"):
        return "a program or library", "import a network"
    if _is_text(data[:512]):
        return "text", "give the file that holds the weights"
    return None


def _of_zip(data):
    try:
        names = Archive(data).names
    except ImportFailure:
        return "a damaged or truncated zip archive", "download it again"
    ends = [name.rpartition("/")[2] for name in names]
    if any(name.endswith("archive_format") for name in names) or "serialized_state_dict.pt" in names:
        return "a program of torch.export (.pt2)", \
            "save its weights: `torch.save(torch.export.load(FILE).state_dict, 'weights.pth')`"
    if "model.json" in ends and any("/tensors/" in name for name in names):
        return "a TorchScript archive of torch 1.3 or before", \
            "load and save it with a newer torch: `torch.jit.save(torch.jit.load(FILE), 'new.pt')`"
    if all(name.endswith(".npy") for name in names) and names:
        return "numpy arrays (.npz)", "import the checkpoint that they were taken from"
    if "saved_model.pb" in ends:
        return "a zipped TensorFlow SavedModel", "unpack it; " + _SAVED_MODEL
    if "mlmodel" in data[:200_000].decode("latin1"):
        return "a zipped Core ML package", "import the network that it was made from"
    inner = next((name for name in names if name.lower().endswith(
        (".pth", ".pt", ".safetensors", ".onnx", ".tflite", ".h5", ".keras", ".bin"))), None)
    if inner:
        return "a zip archive", f"unpack it, and import {inner}"
    return "a zip archive, but of no framework", "import the file that holds the weights"


def _of_json(head):
    if b"weight_map" in head:
        return "the index of weights in several files", \
            "load the model in its framework and save it as one file"
    if b"weightsmanifest" in head or b"modeltopology" in head:
        return "a TensorFlow.js model", "import the Keras model that it was made from"
    if b"mxnet" in head or b'"op": "null"' in head:
        return "a network of MXNet", _ONNX
    return "JSON", "give the file that holds the weights, beside it"


def _is_tensorflow_graph(data):
    """SavedModel: its schema version, then a meta graph; GraphDef: nodes."""
    if data[:3] == b"\x08\x01\x12" and b"serve" in data[:1 << 20]:
        return True
    return data[:1] == b"\x0a" and any(word in data[:4096] for word in
                                       (b"Placeholder", b"dtype", b"Const"))


def _is_text(head):
    try:
        return head.decode("utf-8").replace("\n", "").replace("\t", "").replace("\r", "").isprintable()
    except UnicodeDecodeError:
        return False
