#!/usr/bin/env python3
"""Embeds all images of a directory, on several processes.

Writes EMBEDDINGS.npy (float32 [images, channels], rows of length 1) and EMBEDDINGS.txt (their paths,
a line per row).  Files that cannot be read are named on stderr and left out."""

import argparse
import sys
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import numpy as np
from PIL import Image

import mobilenet

SUFFIXES = {".bmp", ".gif", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp"}

model = None  # of a worker process


def load(path):
    """Once per process.  One thread each: the processes are what fills the CPUs."""
    global model
    model = mobilenet.load(path, headless=True)


def embed(path):
    """A vector, or what is wrong with the file."""
    try:
        with Image.open(path) as image:
            return model.embed([image], normalize=True)[0]
    except Exception as error:  # Pillow raises whatever a broken file leads to
        return str(error)


def embed_all(model_path, paths, processes):
    """(path, vector or error) for each path, in order."""
    # Spawned, not forked: a child gets nothing but what it is given.
    with ProcessPoolExecutor(
        processes, mp_context=get_context("spawn"), initializer=load, initargs=(model_path,)
    ) as executor:
        yield from zip(paths, executor.map(embed, paths, chunksize=8))


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("model", type=Path, help="a model file")
    parser.add_argument("directory", type=Path, help="with images, also in folders below it")
    parser.add_argument("output", type=Path, metavar="EMBEDDINGS.npy")
    parser.add_argument("--processes", type=int, default=mobilenet.cpus().usable,
                        help="of one thread each (default: one for each CPU that may be used, %(default)s)")
    options = parser.parse_args()

    paths = sorted(p for p in options.directory.rglob("*") if p.suffix.lower() in SUFFIXES)
    embedded, vectors = [], []
    for path, result in embed_all(options.model, paths, options.processes):
        if isinstance(result, str):
            print(f"{path}: {result}", file=sys.stderr)
        else:
            embedded.append(path)
            vectors.append(result)
    if not vectors:
        sys.exit(f"{options.directory}: no images")
    np.save(options.output, np.stack(vectors))
    options.output.with_suffix(".txt").write_text("".join(f"{path}\n" for path in embedded))
    print(f"{len(embedded)} of {len(paths)} images, {len(vectors[0])} values each")
    sys.exit(len(embedded) < len(paths))


if __name__ == "__main__":
    main()
