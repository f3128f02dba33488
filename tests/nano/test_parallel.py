"""A model over two processes computes what one process computes, and its workers never outlive it."""

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from helpers.config import ROOT
from helpers.errors import EngineFailed, UsageError
from helpers.models.prompts import prompt_class
from helpers.models.tokenizer import load_tokenizer
from helpers.nano.engine import load_engine
from helpers.nano.model import load_model
from helpers.nano.parallel import ParallelModel
from tests.engines.conftest import is_gone, until
from tests.models.conftest import make_checkpoint

PROMPTS = [prompt_class(name)[0] for name in ("predictable", "semi", "free")]


@pytest.fixture(scope="module")
def model() -> Iterator[ParallelModel]:
    model = ParallelModel("course", 2)
    yield model
    model.close()


def workers() -> list[psutil.Process]:
    found = []
    for child in psutil.Process().children(recursive=True):
        # A process of another test may end while one looks.
        with contextlib.suppress(psutil.NoSuchProcess):
            if "helpers.nano.parallel" in child.cmdline():
                found.append(child)
    return found


def run(loaded: Any, **options: Any) -> tuple[list[list[int]], Any]:
    engine = load_engine("course", loaded=loaded, max_num_seqs=3, max_model_len=256, **options)
    tokenizer = load_tokenizer("course")
    requests = [
        engine.add_request(
            tokenizer.encode(tokenizer.render_chat([{"role": "user", "content": prompt}])), max_tokens=12
        )
        for prompt in PROMPTS
    ]
    engine.run_until_done()
    return [request.output_ids for request in requests], engine


@pytest.mark.parametrize(
    "options", [{}, {"kv_cache_dtype": "int8"}, {"max_num_batched_tokens": 16, "num_blocks": 20, "block_size": 8}]
)
def test_two_processes_give_the_tokens_of_one(model: ParallelModel, options: dict[str, Any]) -> None:
    assert run(model, **options)[0] == run(load_model("course"), **options)[0]


def test_what_is_erased_is_erased_in_every_process(model: ParallelModel) -> None:
    tokens = []
    for loaded in (model, load_model("course")):
        engine = load_engine("course", loaded=loaded, max_num_seqs=1, max_model_len=256)
        request = engine.add_request(load_tokenizer("course").encode(PROMPTS[0]), max_tokens=8, ignore_eos=True)
        engine.step()
        engine.cache.erase(request.blocks)
        engine.run_until_done()
        tokens.append(request.output_ids)
    assert tokens[0] == tokens[1]


def test_a_model_that_cannot_be_shared_is_refused_and_leaves_nobody_behind(model: ParallelModel) -> None:
    before = {worker.pid for worker in workers()}
    with pytest.raises(UsageError, match="cannot be shared by 3"):
        ParallelModel("course", 3)
    assert until(lambda: {worker.pid for worker in workers()} <= before, 10)


def test_a_killed_worker_ends_the_model_with_a_clear_error(tmp_path: Path) -> None:
    before = {worker.pid for worker in workers()}
    broken = ParallelModel(make_checkpoint(tmp_path / "tiny"), 2)
    try:
        engine = load_engine(tmp_path / "tiny", loaded=broken)
        engine.add_request([1, 2, 3], max_tokens=20, ignore_eos=True)
        engine.step()
        (mine,) = [worker for worker in workers() if worker.pid not in before]
        mine.kill()
        with pytest.raises(EngineFailed, match="process of the tensor-parallel model has ended"):
            engine.run_until_done()
        with pytest.raises(EngineFailed, match="process of the tensor-parallel model has ended"):
            engine.step()
    finally:
        broken.close()


PARENT = """
from helpers.nano.parallel import ParallelModel
model = ParallelModel("course", 2)
print(model._workers[0].pid, flush=True)
input()
"""


def test_workers_end_with_a_parent_that_is_killed() -> None:
    with subprocess.Popen(
        [sys.executable, "-c", PARENT],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as parent:
        assert parent.stdout is not None
        worker = int(parent.stdout.readline())
        assert not is_gone(worker)
        os.kill(parent.pid, signal.SIGKILL)
        assert until(lambda: is_gone(worker), 10)
