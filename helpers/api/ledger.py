"""Off the hot path: a thread gathers usage rows and log lines five times a second, and looks for changed keys.

A crash loses at most what was gathered since the last round. A database that fails for a while loses nothing: rows
wait, up to `MOST_PENDING`, and those beyond are counted as lost.
"""

import logging
import sys
import threading
from collections import deque
from time import monotonic

import orjson
from sqlalchemy.exc import SQLAlchemyError

from helpers.api.auth import Keyring
from helpers.api.calls import Call
from helpers.api.database import Database

ROUND_S = 0.2
"""Short, because what has ended since the last round waits in memory: 600 bytes a request."""

PRUNE_EVERY_S = 3600.0
MOST_PENDING = 200_000
BATCH = 500
"""Rows per transaction and lines per write: few, so that the thread neither holds the interpreter for long nor needs
memory for all that a busy second leaves behind (400 bytes a line)."""

logger = logging.getLogger("gateway")


class Ledger:
    """The thread, from `start` to `close`."""

    def __init__(self, database_url: str, keyring: Keyring) -> None:
        self.database = Database(database_url)
        self._keyring = keyring
        self._calls: deque[Call] = deque()
        self._pending: list[Call] = []
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._work, name="gateway-ledger", daemon=True)
        self._pruned_s = -PRUNE_EVERY_S
        self._broken = False
        self.lost_rows = 0
        self.lost_lines = 0

    @property
    def pending_rows(self) -> int:
        """Rows not yet written."""
        return len(self._calls) + len(self._pending)

    def start(self) -> None:
        """Read the keys and start the thread."""
        self._keyring.replace(self.database.valid_keys())
        self._thread.start()

    def add(self, call: Call) -> None:
        """Take over the record of a request that has ended."""
        self._calls.append(call)

    def close(self) -> None:
        """Write what is left and end the thread."""
        self._stop.set()
        if self._thread.ident is not None:
            self._thread.join()
        self.database.close()

    def _work(self) -> None:
        while not self._stop.wait(ROUND_S):
            self._round()
        self._round()

    def _round(self) -> None:
        for left in range(len(self._calls), 0, -BATCH):
            calls = [self._calls.popleft() for _ in range(min(BATCH, left))]
            self._log(b"".join(orjson.dumps(call.to_json()) + b"\n" for call in calls))
            self._pending += calls
        try:
            while self._pending:
                self.database.write_usage(self._pending[:BATCH])
                del self._pending[:BATCH]
            self._keyring.replace(self.database.valid_keys())
            if monotonic() - self._pruned_s > PRUNE_EVERY_S:
                self.database.prune_usage()
                self._pruned_s = monotonic()
            self._broken = False
        except SQLAlchemyError as error:
            if not self._broken:
                logger.error("the database fails; %d usage rows wait: %s", len(self._pending), type(error).__name__)
            self._broken = True
            if (excess := len(self._pending) - MOST_PENDING) > 0:
                del self._pending[:excess]
                self.lost_rows += excess

    def _log(self, lines: bytes) -> None:
        try:
            sys.stderr.buffer.write(lines)
            sys.stderr.buffer.flush()
        except OSError:
            self.lost_lines += lines.count(b"\n")  # whoever read the log has gone; accounting goes on
