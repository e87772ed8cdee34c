#!/usr/bin/env python3
"""Classifies images over HTTP, on processes that are forked once the model is loaded.

The weights are in memory once, for all.  Each process makes its own threads in its first call.

    serve.py mobilenet_v2.safetensors --port 8080
    curl --data-binary @chelsea.png http://localhost:8080/"""

import argparse
import io
import json
import os
import signal
import sys
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

from PIL import Image

import mobilenet

MOST_BYTES = 32 << 20

model = None  # loaded before the fork


class Handler(BaseHTTPRequestHandler):
    def do_POST(self):
        length = int(self.headers.get("Content-Length", 0))
        if length > MOST_BYTES:
            self.answer(413, {"error": f"more than {MOST_BYTES} bytes"})
            return
        try:
            with Image.open(io.BytesIO(self.rfile.read(length))) as image:
                best = model.classify(image)
        except Exception as error:  # Pillow raises whatever a broken file leads to
            self.answer(400, {"error": str(error)})
            return
        self.answer(200, {"process": os.getpid(), "classes": [p._asdict() for p in best]})

    def answer(self, status, content):
        body = json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


def main():
    global model
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("model", type=Path)
    parser.add_argument("--port", type=int, default=8080)
    parser.add_argument("--processes", type=int, default=mobilenet.cpus().usable)
    parser.add_argument("--threads", type=int, default=1, help="of each process")
    options = parser.parse_args()

    model = mobilenet.load(options.model, threads=options.threads)
    # One call before the fork: what can go wrong does so here, and children find their context made.
    model.classify(Image.new("RGB", (8, 8)))
    server = HTTPServer(("localhost", options.port), Handler)
    children = []
    for _ in range(options.processes):
        child = os.fork()
        if child == 0:
            server.serve_forever()
        children.append(child)

    def stop(*_):
        for child in children:
            os.kill(child, signal.SIGKILL)
        sys.exit()

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    print(f"{options.processes} processes at http://localhost:{server.server_port}", flush=True)
    os.wait()
    stop()


if __name__ == "__main__":
    main()
