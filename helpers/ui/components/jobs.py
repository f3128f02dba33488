"""Pulls and creations in progress: a bar for the whole, a line for each layer, a way to cancel."""

from nicegui import ui

from helpers.ui.components.dialogs import icon_button
from helpers.ui.figures import size
from helpers.ui.jobs import Job, Jobs, Layer


class JobView:
    """One job on the page, built into the container that is open."""

    def __init__(self, job: Job, jobs: Jobs) -> None:
        self._job = job
        self._version = -1
        self._layers: dict[str, tuple[ui.element, ui.label]] = {}
        with ui.element("div").classes("job") as self.element:
            with ui.element("div").classes("job-head"):
                ui.label(job.title).classes("row-title")
                self._status = ui.label("").classes("quiet job-status")
                ui.space()
                self._cancel = ui.button("Cancel", on_click=lambda: jobs.cancel(job)).props("flat dense no-caps")
                self._dismiss = icon_button("close", "Dismiss", lambda: jobs.dismiss(job))
            with (
                ui.element("div")
                .classes("bar")
                .props("role=progressbar aria-valuemin=0 aria-valuemax=100") as self._bar
            ):
                self._fill = ui.element("div").classes("bar-fill")
            self._lines = ui.element("div").classes("layers")
            self._error = ui.label("").classes("error").props("role=alert")
        self.renew()

    def renew(self) -> None:
        """Show what has changed."""
        job = self._job
        if job.version == self._version and job.state == "running":
            return
        self._version = job.version
        share = 1.0 if job.state == "done" else job.share
        self._status.text = job.status if share is None else f"{job.status} · {share:.0%}"
        self._fill.style(f"width: {(share or 0):.1%}")
        self._bar.props(f"aria-valuenow={round(100 * (share or 0))}")
        self._bar.classes(add="waiting" if share is None and job.state == "running" else "", remove="waiting")
        self._cancel.set_visibility(job.state == "running")
        self._dismiss.set_visibility(job.state != "running")
        self._error.text = job.error
        self._error.set_visibility(bool(job.error))
        for digest, layer in job.layers.items():
            self._renew_layer(digest, layer)

    def _renew_layer(self, digest: str, layer: Layer) -> None:
        if digest not in self._layers:
            with self._lines, ui.element("div").classes("layer"):
                ui.label(digest.partition(":")[2][:12]).classes("layer-name")
                with ui.element("div").classes("bar thin"):
                    fill = ui.element("div").classes("bar-fill")
                self._layers[digest] = fill, ui.label("").classes("quiet")
        fill, label = self._layers[digest]
        fill.style(f"width: {layer.completed_bytes / layer.total_bytes:.1%}" if layer.total_bytes else "width: 0")
        label.text = f"{size(layer.completed_bytes)} of {size(layer.total_bytes)}"


class JobList:
    """All jobs of an owner."""

    def __init__(self, jobs: Jobs) -> None:
        self._jobs = jobs
        self._views: dict[Job, JobView] = {}
        self._area = ui.element("div").classes("jobs")

    def renew(self, owner: str) -> None:
        """Show what has changed."""
        current = self._jobs.of(owner)
        for gone in [job for job in self._views if job not in current]:
            self._views.pop(gone).element.delete()
        for job in reversed(current):
            if job not in self._views:
                with self._area:
                    self._views[job] = JobView(job, self._jobs)
            self._views[job].renew()
