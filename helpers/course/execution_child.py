"""The child of `helpers.course.execution`: papermill runs one notebook here.

The request is the first line of standard input; the end of standard input means that the parent is gone, and this
process then ends with everything below it. Events go to standard output, one JSON object per line; whatever else
would print there goes to standard error.
"""

import json
import os
import sys
import threading
from typing import Any

import papermill
from nbclient.exceptions import CellTimeoutError, DeadKernelError
from papermill.clientwrap import PapermillNotebookClient
from papermill.engines import NBClientEngine, papermill_engines
from papermill.exceptions import PapermillExecutionError

from helpers.course.descendants import MARK, Descendants

OUTPUT_MESSAGES = ("stream", "display_data", "execute_result", "update_display_data", "error", "comm_open", "comm_msg")
KERNEL_START_S = 120
IOPUB_WAIT_S = 60
"""How long outputs may lag behind a finished cell; nbclient's 4 s are too short beside a busy engine."""


class Events:
    """The parent's ear: one JSON object per line."""

    def __init__(self) -> None:
        self._file = os.fdopen(os.dup(1), "w", encoding="utf-8")
        os.dup2(2, 1)
        self.cell = "none"

    def cell_start(self, index: int, total: int, cell: str) -> None:
        """A cell begins."""
        self.cell = cell
        self._send({"event": "cell", "index": index, "total": total, "cell": cell})

    def end(self, outcome: str, reason: str) -> None:
        """The notebook ended; the parent listens to the first such event only."""
        self._send({"event": "end", "outcome": outcome, "reason": reason})

    def _send(self, event: dict[str, Any]) -> None:
        self._file.write(json.dumps(event) + "\n")
        self._file.flush()


class CountingClient(PapermillNotebookClient):  # type: ignore[misc]
    """Papermill's client, which stops storing outputs, and tells the parent, when they are too many."""

    def __init__(self, *arguments: Any, events: Events, output_limit_bytes: int, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._events = events
        self._bytes_left = output_limit_bytes
        self._limit = output_limit_bytes

    def process_message(self, msg: dict[str, Any], cell: Any, cell_index: int) -> Any:
        """Count an output before it is stored.

        An exception here would surface only when the cell ends, which an endless loop never does: the parent
        ends this process instead.
        """
        if msg["msg_type"] in OUTPUT_MESSAGES:
            self._bytes_left -= len(json.dumps(msg["content"], default=str))
            self._bytes_left -= sum(len(buffer) for buffer in msg.get("buffers", ()))
            if self._bytes_left < 0:
                self._events.end("output-flood", f"cell {cell.get('id')}: more than {self._limit:,} bytes of output")
                return None
        return super().process_message(msg, cell, cell_index)


class CourseEngine(NBClientEngine):  # type: ignore[misc]
    """Papermill's engine with the counting client."""

    @classmethod
    def execute_managed_notebook(cls, nb_man: Any, kernel_name: str, **options: Any) -> Any:
        """Run the notebook; `options` are those given to `papermill.execute_notebook`."""
        events: Events = options["events"]
        total = len(nb_man.nb.cells)
        return CountingClient(
            nb_man,
            events=events,
            output_limit_bytes=options["output_limit_bytes"],
            kernel_name=kernel_name,
            timeout=options["execution_timeout"],
            startup_timeout=options["start_timeout"],
            iopub_timeout=IOPUB_WAIT_S,
            store_widget_state=False,
            on_cell_start=lambda cell, cell_index: events.cell_start(cell_index + 1, total, cell.get("id", "")),
        ).execute()


def run(request: dict[str, Any], events: Events) -> tuple[str, str]:
    """Run the notebook of a request; return outcome and reason."""
    limits = request["limits"]
    try:
        notebook = papermill.execute_notebook(
            request["notebook"],
            request["output"],
            parameters=request["parameters"],
            engine_name="course",
            kernel_name=request.get("kernel", "python3"),
            language="python",
            progress_bar=False,
            start_timeout=KERNEL_START_S,
            execution_timeout=limits["cell_s"],
            output_limit_bytes=limits["output_bytes"],
            events=events,
        )
    except PapermillExecutionError as error:
        return classify_error(error, events.cell)
    except CellTimeoutError:
        return "timeout", f"cell {events.cell}: longer than {limits['cell_s']:g} s"
    except DeadKernelError:
        return "kernel-died", f"cell {events.cell}: the kernel ended"
    except Exception as error:  # noqa: BLE001  (visible: it becomes the outcome)
        return "error", f"papermill could not run the notebook: {type(error).__name__}: {error}"
    return classify_end(notebook)


def classify_error(error: PapermillExecutionError, cell: str) -> tuple[str, str]:
    """The outcome of a cell that raised."""
    outcome = {"EngineUnavailable": "engine-unavailable", "SystemExit": "stopped-early"}.get(error.ename, "error")
    message = error.evalue.strip().replace("\n", "; ")
    return outcome, f"cell {cell}: {error.ename}: {message}"


def classify_end(notebook: Any) -> tuple[str, str]:
    """The outcome of a notebook after which papermill raised nothing: look whether every cell ran."""
    for cell in notebook.cells:
        if cell.cell_type != "code" or not cell.source.strip():
            continue
        if cell.execution_count is None:
            return "stopped-early", f"cell {cell.get('id')} never ran"
        if any(output.output_type == "error" for output in cell.outputs):
            return "stopped-early", f"cell {cell.get('id')} ended the notebook"
    return "ok", ""


def end_with_parent() -> None:
    """Wait for the end of standard input, then end this process and everything below it."""
    sys.stdin.buffer.read()
    Descendants(os.getpid(), os.environ[MARK]).end(with_top=False)
    os._exit(1)


def main() -> None:
    """Answer the request."""
    events = Events()
    request = json.loads(sys.stdin.buffer.readline())
    threading.Thread(target=end_with_parent, daemon=True).start()
    papermill_engines.register("course", CourseEngine)
    events.end(*run(request, events))


if __name__ == "__main__":
    main()
