"""Engines for a notebook that is graded: started and ended here, asked for over loopback, with their counters kept.

The notebook names an engine, a model of the catalogue and options; it gets a URL. What the engine counted, and its log,
are read here, where no submission can touch them (`helpers.grade.witness` holds claims against them).
"""

import json
import threading
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from helpers.engines.launch import launch
from helpers.engines.server import Server
from helpers.errors import CourseError, MissingError, UsageError
from helpers.models import catalogue, hub

MOST_AT_ONCE = 6
MOST_STARTS = 40
"""Of one notebook; the labs start at most eight."""

LARGEST_REQUEST_BYTES = 64_000
LOG_BYTES = 200_000
REFUSED_OPTIONS = ("port", "container", "nodes", "url", "api_key", "timeout_s", "progress")
REFUSED_EXTRAS = ("file", "interface")
"""Where and how an engine runs, and which files it reads, is the grader's affair."""


@dataclass
class EngineUse:
    """One engine that was started for the notebook.

    Attributes:
        engine, model, precision, url: as the server says.
        options: what was asked for.
        counters: its metrics under their common names, read last just before it was ended.
        seconds: how long it ran.
        problem: why there are no counters; empty if there are.
    """

    engine: str
    model: str
    precision: str
    url: str
    options: dict[str, Any]
    counters: dict[str, float] = field(default_factory=dict)
    seconds: float = 0.0
    problem: str = ""


class Broker:
    """Answers a notebook's requests for engines until `stop`.

    Args:
        logs: the folder that gets each engine's log.
    """

    def __init__(self, logs: Path) -> None:
        self.uses: list[EngineUse] = []
        self.refused: list[str] = []
        self._logs = logs
        self._servers: dict[int, tuple[Server, float]] = {}
        self._lock = threading.Lock()
        self._stopped = False
        self._http = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._http.daemon_threads = True
        threading.Thread(target=self._http.serve_forever, daemon=True).start()

    @property
    def url(self) -> str:
        """What COURSE_ENGINE_BROKER is set to."""
        return f"http://127.0.0.1:{self._http.server_address[1]}"

    def start_engine(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        """Start what is asked for.

        Raises:
            CourseError: it is not allowed, or cannot be started here.
        """
        engine, model, options = str(asked.get("engine")), str(asked.get("model")), dict(asked.get("options") or {})
        for name in (model, options.get("draft_model") or "course-draft"):
            if name not in {*catalogue.entries(), *hub.models()}:
                raise UsageError(f"the model {name!r} cannot be had while grading", "models are those of the catalogue")
        extra = set(options.get("extra") or ()) & set(REFUSED_EXTRAS)
        if engine == "attach" or extra or set(options) & set(REFUSED_OPTIONS):
            refused = ", ".join((*REFUSED_OPTIONS, *REFUSED_EXTRAS))
            raise UsageError(f"{refused} and attach are the grader's own affair", "")
        with self._lock:
            if len(self._servers) >= MOST_AT_ONCE or len(self.uses) >= MOST_STARTS:
                raise UsageError(
                    f"a notebook may have {MOST_AT_ONCE} engines at once and {MOST_STARTS} in all", "", "server.stop()"
                )
            try:
                server = launch(engine, model, beside=bool(asked.get("beside")), **options)
            except MissingError as error:  # wrong use is the notebook's own, and no reason that something cannot be run
                self.refused.append(f"{engine}: {error.what}")
                raise
            if self._stopped:
                server.stop()
                raise UsageError("the notebook ended while the engine was started")
            number = len(self.uses)
            self.uses.append(EngineUse(server.engine, server.model, server.precision, server.url, options))
            self._servers[number] = server, time.monotonic()
        assert server.plan is not None
        told = {"engine": server.engine, "model": server.model, "precision": server.precision, "url": server.url}
        plan = {name: value for name, value in server.plan.to_json().items() if name not in ("shell", "env", "files")}
        return {"number": number, **told, "backend": server.backend, "plan": plan}

    def stop_engine(self, number: int) -> None:
        """Read an engine's counters, keep its log, and end it; nothing if it has ended."""
        with self._lock:
            server, since_s = self._servers.pop(number, (None, 0.0))
            if server is None:
                return
            use = self.uses[number]
            use.seconds = round(time.monotonic() - since_s, 3)
            try:
                use.counters = server.metrics()
            except CourseError as error:
                use.problem = f"no counters at its end: {error.what}"
            log = server.log()[-LOG_BYTES:]
            server.stop()
            self._logs.mkdir(parents=True, exist_ok=True)
            (self._logs / f"{number}-{use.engine}.log").write_text(log, encoding="utf-8", errors="replace")

    def stop(self) -> None:
        """End all engines and answer nobody any more."""
        self._stopped = True
        for number in list(self._servers):
            self.stop_engine(number)
        self._http.shutdown()
        self._http.server_close()

    def to_json(self) -> dict[str, Any]:
        """What was started and what was refused."""
        return {"engines": [asdict(use) for use in self.uses], "refused": self.refused}


def _handler(broker: Broker) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        timeout = 60

        def do_POST(self) -> None:
            try:
                length = int(self.headers.get("Content-Length", 0))
                if self.path != "/engines" or not 0 < length <= LARGEST_REQUEST_BYTES:
                    raise ValueError("POST /engines takes a short JSON object")
                asked = json.loads(self.rfile.read(length))
                if not isinstance(asked, dict):
                    raise ValueError("POST /engines takes a JSON object")
                self._answer(200, broker.start_engine(asked))
            except CourseError as error:
                told = {"kind": type(error).__name__, "what": error.what, "cause": error.cause}
                self._answer(409, {"error": {**told, "next": error.next_command}})
            except (ValueError, TypeError, RecursionError) as error:
                self._answer(400, {"error": {"kind": "UsageError", "what": str(error), "cause": "", "next": ""}})

        def do_DELETE(self) -> None:
            number = self.path.removeprefix("/engines/")
            if number.isascii() and number.isdigit() and len(number) < 6:
                broker.stop_engine(int(number))
            self._answer(200, {})

        def _answer(self, status: int, value: dict[str, Any]) -> None:
            body = json.dumps(value).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            """Nothing: what was started stands in the ledger."""

    return Handler
