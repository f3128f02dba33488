"""The models page: what there is, what is loaded, and, where an Ollama is behind the gateway, how to change it."""

from typing import Any

from nicegui import ui

from helpers.ui.advice import advise
from helpers.ui.components.create import CreateForm
from helpers.ui.components.dialogs import ask_text, confirm
from helpers.ui.components.jobs import JobList
from helpers.ui.components.rows import Action, Row, Rows
from helpers.ui.components.show import show_model
from helpers.ui.components.theme import theme_button
from helpers.ui.figures import size
from helpers.ui.gateway import GatewayError
from helpers.ui.jobs import Jobs
from helpers.ui.session import Session, SignedOut

TICK_S = 0.2
LISTS_EVERY_S = 3.0
NO_OLLAMA = (
    "There is no Ollama behind this gateway. The other engines get their models when they are started "
    "(./course serve --engine NAME --model MODEL), so nothing can be pulled or deleted here. To manage models, put an "
    "Ollama behind it: ./course serve --upstream ollama=http://127.0.0.1:11434."
)
NONE_LOADED = "None: a model is loaded when it is asked, and stays for Ollama's keep-alive."
NOT_ALLOWED = "This key may look at models, not change them. Ask for one that may: ./course keys add NAME --models."


class ModelsPage:
    """One tab."""

    def __init__(self, session: Session, jobs: Jobs) -> None:
        self._session = session
        self._jobs = jobs
        self._finished = 0
        self._sizes_bytes: dict[str, int] = {}

    async def build(self) -> None:
        """Build the page."""
        with ui.element("div").classes("page models-page"):
            with ui.element("header").classes("page-head"):
                ui.link("Chat", "/").classes("back")
                ui.element("h1").props('innerHTML="Models"')
                theme_button()
            self._notice = ui.label("").classes("notice")
            self._error = ui.label("").classes("error").props("role=alert")
            with ui.element("section").classes("card") as self._change:
                with ui.element("div").classes("pull-row"):
                    self._pull_name = ui.input(placeholder="Model to pull, such as qwen3:8b")
                    self._pull_name.props('outlined dense aria-label="Model to pull"').classes("wide pull-name")
                    self._pull_name.on("keydown.enter", self._pull)
                    ui.button("Pull", on_click=self._pull).props("unelevated no-caps").classes("pull-button")
                self._job_list = JobList(self._jobs)
            with ui.element("section"):
                ui.element("h2").props('innerHTML="Loaded"')
                self._loaded = Rows("loaded", NONE_LOADED)
            with ui.element("section"):
                ui.element("h2").props('innerHTML="All models"')
                self._list = Rows("all-models", "No engine answers, or none has a model.")
            self._create = CreateForm(self._session, self._jobs)
        await self._renew()
        ui.timer(TICK_S, self._tick)
        ui.timer(LISTS_EVERY_S, self._renew)

    async def _tick(self) -> None:
        try:
            owner = self._session.owner
        except SignedOut:
            ui.navigate.to("/sign-in")
            return
        self._job_list.renew(owner)
        finished = sum(job.state == "done" for job in self._jobs.of(owner))
        if finished != self._finished:
            self._finished = finished
            await self._renew()

    async def _renew(self) -> None:
        try:
            listed = (await self._session.gateway.ask("GET", "/api/tags"))["models"]
            loaded = (await self._session.gateway.ask("GET", "/api/ps"))["models"]
            self._show_error("")
        except GatewayError as refused:
            self._show_error(advise(refused.message, refused.status))
            return
        targets = self._session.state.router.targets
        ollama, alive = any(t.is_ollama for t in targets), any(t.is_ollama and t.alive for t in targets)
        may = self._session.may_change_models
        notice = "" if alive else NO_OLLAMA
        if ollama and not alive:
            notice = (
                "Ollama does not answer. Start it (ollama serve, or systemctl start ollama); this page goes on then."
            )
        elif alive and not may:
            notice = NOT_ALLOWED
        self._notice.text = notice
        self._notice.set_visibility(bool(notice))
        self._change.set_visibility(alive and may)
        self._create.section.set_visibility(alive and may)
        self._sizes_bytes = {model["name"]: model.get("size") or 0 for model in listed}
        self._loaded.show([self._loaded_row(model, alive and may) for model in loaded])
        self._list.show([self._listed_row(model, alive and may) for model in listed])

    def _show_error(self, text: str) -> None:
        self._error.text = text
        self._error.set_visibility(bool(text))

    def _listed_row(self, model: dict[str, Any], may_change: bool) -> Row:
        name, details = model["name"], model.get("details") or {}
        actions = [Action(f"About {name}", lambda: self._act(show_model(self._session, name)), "info")]
        if may_change and model.get("size") and details.get("quantization_level", ""):
            actions.append(Action(f"Copy {name}", lambda: self._copy(name), "file_copy"))
            actions.append(Action(f"Delete {name}", lambda: self._delete(name), "delete"))
        return Row(name, _facts(model), tuple(actions))

    def _loaded_row(self, model: dict[str, Any], may_change: bool) -> Row:
        can_unload = may_change and model.get("size_vram") is not None and model.get("size")
        unload = Action("Unload", lambda: self._unload(model["name"]))
        return Row(model["name"], _memory(model), (unload,) if can_unload else ())

    async def _pull(self) -> None:
        name = (self._pull_name.value or "").strip()
        if name:
            self._jobs.pull(self._session.gateway, self._session.owner, name)
            self._pull_name.value = ""

    async def _copy(self, name: str) -> None:
        with self._change:
            copy = await ask_text(f"Copy {name} as", f"{name.partition(':')[0]}-copy", "Copy")
        if copy:
            await self._act(
                self._session.gateway.ask("POST", "/api/copy", {"source": name, "destination": copy, "model": name})
            )

    async def _delete(self, name: str) -> None:
        with self._change:
            sure = await confirm(
                f"Delete {name}?",
                f"{size(self._sizes_bytes.get(name, 0))} become free. To have it back it must be pulled.",
                "Delete",
            )
        if sure:
            await self._act(self._session.gateway.ask("DELETE", "/api/delete", {"model": name}))

    async def _unload(self, name: str) -> None:
        body = {"model": name, "prompt": "", "keep_alive": 0, "stream": False}
        await self._act(self._session.gateway.ask("POST", "/api/generate", body))

    async def _act(self, action: Any) -> None:
        try:
            await action
        except GatewayError as refused:
            ui.notify(advise(refused.message, refused.status), type="negative", timeout=8000, close_button="Close")
        await self._renew()


def _facts(model: dict[str, Any]) -> str:
    details = model.get("details") or {}
    parts = [
        size(model["size"]) if model.get("size") else "",
        str(details.get("parameter_size") or ""),
        str(details.get("quantization_level") or ""),
        str(details.get("family") or ""),
    ]
    return " · ".join(filter(None, parts))


def _memory(model: dict[str, Any]) -> str:
    parts = []
    if model.get("size"):
        parts.append(f"{size(model['size'])} in memory")
        if model.get("size_vram"):
            parts.append(f"{model['size_vram'] / model['size']:.0%} on the GPU")
    if model.get("context_length"):
        parts.append(f"context of {model['context_length']:,} tokens")
    until = str(model.get("expires_at") or "")
    if model.get("size_vram") and len(until) >= 16:
        parts.append(f"until {until[11:16]}")
    return " · ".join(parts)
