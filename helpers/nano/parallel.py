"""Tensor parallelism: each process holds a share of every layer's heads and MLP columns, and of the KV cache.

The engine's process is rank 0. It sends each step's batch to the workers, all compute their share, and they meet twice
in every layer to add up what the output projections give (`helpers.nano.meeting`). Scheduling, sampling and everything
else happens once, in rank 0.

A worker is `python -m helpers.nano.parallel`. It reads pickled orders from its standard input, and ends when that
closes, so that it never outlives the engine.
"""

import contextlib
import dataclasses
import os
import pickle
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import IO, Any

from helpers.config import ROOT
from helpers.errors import CourseError, EngineFailed
from helpers.models.checkpoint import LlamaConfig
from helpers.nano.batch import Batch
from helpers.nano.block_manager import BLOCK_SIZE
from helpers.nano.kv_cache import KvCache
from helpers.nano.meeting import Meeting, Seat, make_seats
from helpers.nano.model import Forward, load_model

END_LIMIT_S = 5.0
"""A worker that is told to end finishes its step first."""


class ParallelModel:
    """A model over several processes, with the methods of `Model`.

    Args:
        model: an id of the catalogue, or a directory in Hugging Face layout.
        ranks: processes, this one included.

    Raises:
        UsageError: the model's heads or MLP columns cannot be shared evenly.
        EngineFailed: a worker has ended; the model cannot be used any more.
    """

    def __init__(self, model: str | Path, ranks: int) -> None:
        seats = make_seats(ranks)
        self._workers = [_start_worker(model, seat, ranks) for seat in seats[1:]]
        self._meeting = Meeting(seats[0])
        try:
            self._model = load_model(model, rank=0, ranks=ranks, all_reduce=self._meeting.add)
        except BaseException:
            self.close()
            raise
        self.config = self._model.config

    def make_cache(self, blocks: int, block_size: int = BLOCK_SIZE, precision: str = "f32") -> KvCache:
        """The cache of this rank's heads; each worker makes one for its own."""
        self._tell("make_cache", blocks, block_size, precision)
        return SharedCache(self._model.share, blocks, block_size, precision, self._tell)

    def forward(self, batch: Batch, cache: KvCache, feature_layers: Sequence[int] = ()) -> Forward:
        """As `Model.forward`; `cache` is what `make_cache` gave last."""
        # Logits are rank 0's business alone.
        self._tell("forward", dataclasses.replace(batch, logit_rows=batch.logit_rows[:0]))
        try:
            return self._model.forward(batch, cache, feature_layers)
        except BaseException:
            # The workers are somewhere inside the step, and could not begin another.
            self.close()
            raise

    def close(self) -> None:
        """End the workers. May be repeated."""
        self._meeting.leave()
        for worker in self._workers:
            assert worker.stdin is not None
            with contextlib.suppress(BrokenPipeError):  # an order was left over for one that has ended already
                worker.stdin.close()
        for worker in self._workers:
            try:
                worker.wait(END_LIMIT_S)
            except subprocess.TimeoutExpired:
                worker.kill()
                worker.wait()

    def _tell(self, *order: Any) -> None:
        message = pickle.dumps(order)
        try:
            for worker in self._workers:
                assert worker.stdin is not None
                worker.stdin.write(message)
                worker.stdin.flush()
        except (BrokenPipeError, ValueError) as error:  # ValueError: it was closed after a failure
            self.close()
            raise EngineFailed("a process of the tensor-parallel model has ended", str(error)) from error


class SharedCache(KvCache):
    """Rank 0's share of a cache; what is erased here is erased in every rank."""

    def __init__(
        self, config: LlamaConfig, blocks: int, block_size: int, precision: str, tell: Callable[..., None]
    ) -> None:
        super().__init__(config, blocks, block_size, precision)
        self._tell = tell

    def erase(self, blocks: Sequence[int]) -> None:
        """See `KvCache.erase`."""
        self._tell("erase", list(blocks))
        super().erase(blocks)


def _start_worker(model: str | Path, seat: Seat, ranks: int) -> "subprocess.Popen[bytes]":
    worker = subprocess.Popen(
        [sys.executable, "-m", "helpers.nano.parallel"],
        stdin=subprocess.PIPE,
        # A core for each process, unless whoever started the engine has decided otherwise.
        env={"OPENBLAS_NUM_THREADS": "1", **os.environ, "PYTHONPATH": str(ROOT)},
        pass_fds=seat.descriptors,
        start_new_session=True,  # an interrupt is for the engine; the closed pipe tells the worker
    )
    seat.give_away()
    assert worker.stdin is not None
    worker.stdin.write(pickle.dumps((model, seat, ranks)))
    worker.stdin.flush()
    return worker


def work(orders: IO[bytes]) -> None:
    """A worker's life: load this rank's share, then follow orders until there are no more."""
    model, seat, ranks = pickle.load(orders)
    meeting = Meeting(seat)
    try:
        share = load_model(model, rank=seat.rank, ranks=ranks, all_reduce=meeting.add)
    except CourseError:
        return  # rank 0 finds the same, and tells it
    cache: KvCache | None = None
    while True:
        try:
            order, *arguments = pickle.load(orders)
            if order == "make_cache":
                cache = share.make_cache(*arguments)
                continue
            assert cache is not None
            if order == "erase":
                cache.erase(*arguments)
            else:
                share.forward(arguments[0], cache)
        except (EOFError, EngineFailed):
            return  # the engine has ended, or is ending


if __name__ == "__main__":
    work(sys.stdin.buffer)
