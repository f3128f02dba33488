"""Where the processes of a tensor-parallel model add up their parts of a sum: an all-reduce through shared memory.

Every rank writes its part, tells the others, waits until all have told it, and adds all parts in the same order, so
that all hold the same bits. Two meetings use two different halves of the memory: a rank writes to the half of the
meeting before last, and every other rank has left that one, because it has told of its arrival at the last.
"""

import mmap
import os
import select
import socket
import tempfile
from dataclasses import dataclass

import numpy as np

from helpers.errors import EngineFailed
from helpers.models.checkpoint import Floats

CAPACITY = 1 << 16
"""Elements that meet at once; longer sums take several meetings."""

TRIES = 60
"""How often a rank looks for the others before it sleeps until they arrive: about 0.1 ms, as long as half a layer of a
small model takes. A rank that waits for work burns no core."""


@dataclass(frozen=True, slots=True)
class Seat:
    """What a rank needs to take part; its file descriptors can be handed to another process.

    Attributes:
        rank: 0 to the number of ranks - 1.
        memory: file descriptor of the memory that all ranks share.
        peers: file descriptors of the connections to the other ranks, in their order.
    """

    rank: int
    memory: int
    peers: tuple[int, ...]

    @property
    def descriptors(self) -> tuple[int, ...]:
        """All file descriptors."""
        return (self.memory, *self.peers)

    def give_away(self) -> None:
        """Close this process's copies, so that the other ranks see it when the new owner ends."""
        for descriptor in self.descriptors:
            os.close(descriptor)


def make_seats(ranks: int) -> list[Seat]:
    """Seats for that many ranks, to be used by one process or thread each."""
    peers: list[list[int]] = [[] for _ in range(ranks)]
    for one in range(ranks):
        for other in range(one + 1, ranks):
            ends = socket.socketpair()
            peers[one].append(ends[0].detach())
            peers[other].append(ends[1].detach())
    with tempfile.TemporaryFile(dir="/dev/shm" if os.path.isdir("/dev/shm") else None) as file:
        # It has no name, so that nothing is left behind by a process that is killed.
        file.truncate(2 * ranks * CAPACITY * np.dtype(np.float32).itemsize)
        return [Seat(rank, os.dup(file.fileno()), tuple(peers[rank])) for rank in range(ranks)]


class Meeting:
    """One rank's part in all sums; it owns the seat's file descriptors."""

    def __init__(self, seat: Seat) -> None:
        self.rank = seat.rank
        self._peers = [socket.socket(fileno=descriptor) for descriptor in seat.peers]
        for peer in self._peers:
            peer.setblocking(False)
        ranks = len(seat.peers) + 1
        self._memory = mmap.mmap(seat.memory, 0)
        os.close(seat.memory)
        self._parts: Floats = np.frombuffer(self._memory, dtype=np.float32).reshape(2, ranks, CAPACITY)
        self._half = 0

    def add(self, values: Floats) -> None:
        """Replace the values by their sum over all ranks; every rank calls it with the same shape.

        Args:
            values: contiguous, changed in place.

        Raises:
            EngineFailed: another rank has ended.
        """
        flat = values.reshape(-1)
        for start in range(0, flat.size, CAPACITY):
            self._add_some(flat[start : start + CAPACITY])

    def _add_some(self, values: Floats) -> None:
        parts = self._parts[self._half, :, : values.size]
        self._half = 1 - self._half
        parts[self.rank] = values
        try:
            for peer in self._peers:
                peer.send(b"!")
            arrived = all(_wait_for(peer) for peer in self._peers)
        except OSError:
            arrived = False
        if not arrived:
            raise EngineFailed(
                "a process of the tensor-parallel model has ended", "it was killed, or it ran out of memory"
            )
        np.sum(parts, axis=0, out=values)

    def leave(self) -> None:
        """Close the connections: whoever waits for this rank is told."""
        for peer in self._peers:
            peer.close()


def _wait_for(peer: socket.socket) -> bool:
    """Wait for a rank's arrival; False if it has ended instead."""
    for attempt in range(TRIES + 1):
        try:
            return bool(peer.recv(1))
        except BlockingIOError:
            if attempt == TRIES - 1:
                select.select([peer], [], [])
    raise AssertionError("a readable socket could not be read")
