"""Above the messages: whom to ask (one model, or two side by side), how full the context is, how to ask."""

from collections.abc import Awaitable, Callable

from nicegui import ui

from helpers.ui.components.dialogs import icon_button
from helpers.ui.models import Model
from helpers.ui.records import LANES

NEARLY_FULL = 0.8
NOBODY = "No engine answers"


class TopBar:
    """The bar; `chosen` is called with the models when the user changes them."""

    def __init__(
        self,
        chosen: Callable[[tuple[str, ...]], Awaitable[None]],
        toggle_sidebar: Callable[[], object],
        settings: Callable[[], Awaitable[None]],
    ) -> None:
        self._chosen = chosen
        self._models: dict[str, Model] = {}
        self._names: tuple[str, ...] = ()
        self._silent = False
        with ui.element("header").classes("topbar"):
            icon_button("menu", "Conversations", toggle_sidebar)
            self._selects = [self._select(lane) for lane in range(LANES)]
            self._compare = icon_button("compare", "Compare two models", self._toggle_compare).classes("compare")
            ui.space()
            with ui.element("div").classes("meter").props("role=status") as self._meter:
                self._meter_bar = ui.element("div").classes("meter-bar")
                with self._meter_bar:
                    self._meter_fill = ui.element("div").classes("meter-fill")
                self._meter_label = ui.label("")
            icon_button("tune", "System prompt, preset, parameters", settings).classes("settings-button")

    def _select(self, lane: int) -> ui.select:
        select = ui.select({}, on_change=self._changed).classes(f"model-select lane-{lane}")
        label = "Model" if lane == 0 else "Second model"
        return select.props(f'dense borderless options-dense aria-label="{label}" popup-content-class=model-options')

    def show_models(self, models: dict[str, Model], names: tuple[str, ...]) -> None:
        """Show what can be chosen, and what is."""
        if models == self._models and names == self._names:
            return
        self._models, self._names = models, names
        options = {name: _label(model) for name, model in models.items()}
        options |= {name: f"{name} (not available)" for name in names if name not in models}
        self._silent = True
        for lane, select in enumerate(self._selects):
            value = names[lane] if lane < len(names) else None
            select.set_options(options if options or value else {"": NOBODY}, value=value if options else "")
            select.set_visibility(lane < max(1, len(names)))
        self._silent = False
        self._compare.classes(add="on" if len(names) > 1 else "", remove="" if len(names) > 1 else "on")
        self._compare.set_enabled(len(models) > 1 or len(names) > 1)

    def show_context(self, used_tokens: int, limit_tokens: int | None, estimated: bool) -> None:
        """Show how much of the context is used."""
        about = "~" if estimated else ""
        self._meter.set_visibility(limit_tokens is not None or used_tokens > 0)
        if limit_tokens is None:
            self._meter_label.text = f"{about}{used_tokens:,} tokens"
            self._meter_bar.set_visibility(False)
            return
        share = min(1.0, used_tokens / limit_tokens)
        self._meter_bar.set_visibility(True)
        self._meter_fill.style(f"width: {share:.1%}")
        self._meter_label.text = f"{about}{used_tokens:,} / {limit_tokens:,}"
        self._meter.props(f'title="Tokens of the context in use: {about}{used_tokens:,} of {limit_tokens:,}"')
        full = share >= NEARLY_FULL
        self._meter.classes(add="full" if full else "", remove="" if full else "full")

    async def _changed(self) -> None:
        if not self._silent:
            names = [select.value for select in self._selects[: max(1, len(self._names))]]
            self._names = tuple(name for name in names if name)
            await self._chosen(self._names)

    async def _toggle_compare(self) -> None:
        if len(self._names) > 1:
            await self._chosen(self._names[:1])
        elif self._names:
            other = next((name for name in self._models if name != self._names[0]), self._names[0])
            await self._chosen((self._names[0], other))


def _label(model: Model) -> str:
    return model.name if model.upstream in ("", model.name) else f"{model.name} · {model.upstream}"
