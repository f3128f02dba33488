"""llama.cpp's own server on one GGUF file, in a child process that ends when its standard input closes.

Kept apart from helpers.engines on purpose: these tests judge the model files alone.
"""

import contextlib
import json
import os
import subprocess
import sys
import tempfile
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

CHILD = """
import os, sys, xllamacpp
parameters = xllamacpp.CommonParams()
parameters.model.path = sys.argv[1]
parameters.port = 0
parameters.n_ctx = 256
parameters.n_parallel = 1
parameters.cpuparams.n_threads = 1
parameters.cpuparams_batch.n_threads = 1
server = xllamacpp.Server(parameters)
print(server.listening_address, flush=True)
sys.stdin.read()
os._exit(0)
"""


class LlamaServer:
    """A running server; `post` sends JSON and gives the answer's JSON."""

    def __init__(self, address: str) -> None:
        self.address = address

    def post(self, path: str, body: dict[str, Any]) -> Any:
        request = urllib.request.Request(
            self.address + path, json.dumps(body).encode(), {"Content-Type": "application/json"}
        )
        with urllib.request.urlopen(request, timeout=60) as answer:
            return json.loads(answer.read())

    def greedy(self, prompt: list[int], count: int) -> list[int]:
        """The next `count` greedy tokens after the prompt's ids."""
        body = {"prompt": prompt, "n_predict": count, "temperature": 0, "return_tokens": True, "ignore_eos": True}
        return self.post("/completion", body)["tokens"]


@contextlib.contextmanager
def serve(gguf_file: Path) -> Iterator[LlamaServer]:
    """Start the server; AssertionError with its last words if it does not come up."""
    # The log goes to a file: nobody reads it while the server runs, and a full pipe would stop it.
    with (
        tempfile.TemporaryFile("w+") as log,
        subprocess.Popen(
            [sys.executable, "-c", CHILD, str(gguf_file)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            env=os.environ | {"OMP_WAIT_POLICY": "passive"},
            text=True,
        ) as child,
    ):
        try:
            address = child.stdout.readline().strip()
            if not address:
                log.seek(0)
                raise AssertionError(log.read()[-2000:])
            yield LlamaServer(address)
        finally:
            child.stdin.close()
            child.stdin = None
            try:
                child.wait(timeout=5)
            except subprocess.TimeoutExpired:
                child.kill()
