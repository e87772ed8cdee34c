#!/usr/bin/env python3
"""Embeds the images of a directory or bucket with Ray Data, on one machine or a cluster.

Writes Parquet files with the columns path, embedding (float32, of length 1) and error: null, or
what is wrong with the file, whose embedding is zeros then.  The model's path must be readable on every machine; needs `ray[data]`."""

import argparse
import io

import numpy as np
import ray
from PIL import Image

import mobilenet


class Embedder:
    """Ray keeps one in each worker, so that the model is loaded once."""

    def __init__(self, model_path):
        self.model = mobilenet.load(model_path, headless=True)

    def embed(self, data):
        """(vector, None), or (zeros, what is wrong with the file)."""
        try:
            with Image.open(io.BytesIO(data)) as image:
                return self.model.embed([image], normalize=True)[0], None
        except Exception as error:  # Pillow raises whatever a broken file leads to
            return np.zeros(self.model.embed([]).shape[1], np.float32), str(error)

    def __call__(self, batch):
        vectors, errors = zip(*map(self.embed, batch["bytes"]))
        return {
            "path": batch["path"],
            "embedding": np.stack(vectors),
            "error": np.array(errors, dtype=object),
        }


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("model", help="a model file")
    parser.add_argument("images", help="a directory, or s3://, gs://, ...")
    parser.add_argument("output", help="a directory, likewise")
    parser.add_argument("--workers", type=int, help="of one CPU each (default: all CPUs but one)")
    options = parser.parse_args()

    # Workers keep their CPUs to the end.  Without another one nothing would be read or written.
    ray.init()
    cpus = int(ray.cluster_resources()["CPU"])
    workers = options.workers or max(1, cpus - 1)
    if workers >= cpus:
        parser.error(f"--workers: {workers} of {cpus} CPUs leave none for reading and writing")

    # Decoding is the worker's: Pillow knows every format, and the model turns photos upright.
    images = ray.data.read_binary_files(options.images, include_paths=True)
    embeddings = images.map_batches(
        Embedder,
        fn_constructor_args=(options.model,),
        batch_size=32,
        compute=ray.data.ActorPoolStrategy(size=workers),
        num_cpus=1,
    )
    embeddings.write_parquet(options.output)

    written = ray.data.read_parquet(options.output)
    failed = written.filter(lambda row: row["error"] is not None).count()
    print(f"{written.count()} files, {failed} of them unreadable")


if __name__ == "__main__":
    main()
