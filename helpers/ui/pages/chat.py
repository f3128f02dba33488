"""The chat page: what the user does, and what then is shown."""

import asyncio
import logging
from dataclasses import replace
from time import monotonic

from nicegui import ui
from sqlalchemy.exc import SQLAlchemyError

from helpers.ui.advice import advise
from helpers.ui.components.composer import Composer
from helpers.ui.components.message import Actions
from helpers.ui.components.settings import edit_settings
from helpers.ui.components.sidebar import Sidebar
from helpers.ui.components.thread import Thread
from helpers.ui.components.topbar import TopBar
from helpers.ui.extensions import Extensions, run_extension
from helpers.ui.figures import estimate_tokens
from helpers.ui.gateway import GatewayError
from helpers.ui.models import Model, list_models, ollama_context
from helpers.ui.records import Conversation, Message, first_title
from helpers.ui.session import Session, SignedOut

TICK_S = 0.04
LIST_EVERY_S = 1.0
MODELS_EVERY_S = 3.0
logger = logging.getLogger("gateway")


class ChatPage:
    """One tab. Everything that lasts is in the store or the hub; a tab only looks at them."""

    def __init__(self, session: Session, extensions: Extensions) -> None:
        self._session = session
        self._hub = session.hub
        self._extensions = extensions
        self._conversation = Conversation("", session.owner, "")
        self._models: dict[str, Model] = {}
        self._edited: Message | None = None
        self._typed_tokens = 0
        self._sending = False
        self._list_again_s = 0.0

    async def build(self, conversation_id: str) -> None:
        """Build the page around a conversation, or a new one."""
        self._sidebar = Sidebar(self._session, self._extensions, self.open)
        with ui.element("div").classes("chat"):
            self._topbar = TopBar(self._choose_models, self._sidebar.drawer.toggle, self._edit_settings)
            self._thread = Thread(self._hub, Actions(self._regenerate, self._edit, self._extensions.actions))
            self._composer = Composer(self.send, self._stop, self._note_typed)
        ui.on("course_stop", self._escape)
        ui.on("course_edit_last", lambda: self._edit(self._thread.last_of_user()))
        ui.on("course_new", lambda: self.open(""))
        ui.on("course_open", lambda event: self.open(str(event.args), from_history=True))
        await self._renew_models()
        await self.open(conversation_id, from_history=True)
        await self._sidebar.build_panels()
        self._timer = ui.timer(TICK_S, self._tick)
        ui.timer(MODELS_EVERY_S, self._renew_models)

    async def open(self, conversation_id: str, from_history: bool = False) -> None:
        """Show a conversation; an empty id begins a new one in the manner of the last."""
        store, owner = self._hub.store, self._session.owner
        found = None
        if conversation_id:
            found = await asyncio.to_thread(store.find_conversation, owner, conversation_id)
            if found is None:
                ui.notify("That conversation does not exist any more.")
        if found is None:
            latest = await asyncio.to_thread(store.list_conversations, owner, "", 1)
            usual = latest[0].models[:1] if latest else ()
            found = Conversation("", owner, "", usual if usual and usual[0] in self._models else (), "", {})
        self._conversation = found
        self._stop_editing()
        if not from_history:
            self._show_address()
        await self._thread.open(found)
        await self._sidebar.renew(found.id)
        await self._show_models()
        self._composer.focus()

    async def send(self, text: str) -> None:
        """Store the user's message and have it answered; without a model the text stays where it is."""
        if not text.strip() or self._sending or self._hub.writing(self._conversation):
            return
        self._sending = True  # Enter pressed twice sends once
        try:
            await self._send(text)
        finally:
            self._sending = False

    async def _send(self, text: str) -> None:
        if await self._run_command(text):
            return
        if not self._conversation.models:
            ui.notify(advise("No engine answers, so there is nobody to ask", 503), type="warning")
            return
        try:
            await self._keep(text)
        except SQLAlchemyError:
            logger.exception("a message could not be kept")
            ui.notify("Your message could not be kept, and stays where it is. Is the disk full? The log says why.")
            return
        self._composer.accepted(text)
        await self._answer()

    async def _keep(self, text: str) -> None:
        store, edited = self._hub.store, self._edited
        if not self._conversation.id:
            new = replace(self._conversation, title=first_title(text))
            self._conversation = await asyncio.to_thread(store.add_conversation, new)
            self._show_address()
        elif edited is not None:
            await asyncio.to_thread(store.cut_messages, self._conversation, edited.id)
        await asyncio.to_thread(store.add_messages, [Message(0, self._conversation.id, "user", text)])
        self._stop_editing()

    async def _answer(self) -> None:
        models = [self._models.get(name) for name in self._conversation.models]
        live = all(model is not None and model.live_timings for model in models)
        await self._hub.ask(self._conversation, self._session.key, {"timings_per_token": True} if live else {})
        await self._thread.renew(self._conversation)
        ui.run_javascript("courseUi.toEnd()")
        # What is not waited for comes last: the conversation becomes the latest of the list.
        self._conversation = await asyncio.to_thread(self._hub.store.change_conversation, self._conversation)

    async def _regenerate(self, message: Message) -> None:
        """Answer again: this answer, what was answered beside it, and all that follows, goes."""
        await self._stop()
        turn = [m for m in self._thread.messages if m.role == "user" and m.id < message.id]
        first = min(
            (m.id for m in self._thread.messages if m.role == "assistant" and (not turn or m.id > turn[-1].id)),
            default=message.id,
        )
        await asyncio.to_thread(self._hub.store.cut_messages, self._conversation, first)
        await self._answer()

    def _edit(self, message: Message | None) -> None:
        if message is None:
            return
        self._edited = message
        last = self._thread.last_of_user()
        rest = "" if last is None or message.id == last.id else " and of what follows it"
        self._composer.show_editing(f"Sending takes the place of your earlier message{rest}.")
        self._composer.put(message.text)

    def _stop_editing(self) -> None:
        if self._edited is not None:
            self._edited = None
            self._composer.show_editing("")

    async def _escape(self) -> None:
        if self._edited is not None:
            self._stop_editing()
            self._composer.put("")
        else:
            await self._stop()

    async def _stop(self) -> None:
        await self._hub.stop(self._conversation)

    async def _run_command(self, text: str) -> bool:
        name, _, argument = text.strip().removeprefix("/").partition(" ")
        if not text.startswith("/") or name not in self._extensions.commands:
            return False
        try:
            said = await run_extension(self._extensions.commands[name][1], argument)
        except Exception as error:  # noqa: BLE001 - an extension is somebody's experiment; the page goes on
            ui.notify(f"/{name} failed: {type(error).__name__}: {error}", type="negative")
            return True
        self._composer.put(said or "")
        return True

    async def _choose_models(self, names: tuple[str, ...]) -> None:
        self._conversation = replace(self._conversation, models=names)
        await self._keep_settings()
        await self._show_models()

    async def _keep_settings(self) -> None:
        shown = self._conversation
        if shown.id:
            await asyncio.to_thread(self._hub.store.change_conversation, shown)
            self._hub.touch(shown)

    async def _edit_settings(self) -> None:
        changed = await edit_settings(self._session, self._conversation)
        if changed is not None:
            self._conversation = changed
            await self._keep_settings()

    async def _tick(self) -> None:
        try:
            self._session.who()
        except SignedOut:
            self._timer.deactivate()
            ui.navigate.to("/sign-in")
            return
        changed = await self._thread.renew(self._conversation)
        writing = self._thread.follow(self._conversation)
        self._composer.show_writing(writing)
        if changed:
            await self._reload()
            self._show_context()
        # The list of conversations must not keep a token waiting, in this tab or in others.
        if not writing and monotonic() > self._list_again_s:
            self._list_again_s = monotonic() + LIST_EVERY_S
            await self._sidebar.renew(self._conversation.id)

    async def _reload(self) -> None:
        """Take over what was changed elsewhere, in another tab or in the list: title, models, prompt, options."""
        shown = self._conversation
        found = await asyncio.to_thread(self._hub.store.find_conversation, self._session.owner, shown.id)
        # Meanwhile this tab may have changed it itself, or shown another.
        if found is not None and self._conversation is shown:
            self._conversation = found
            await self._show_models()

    async def _renew_models(self) -> None:
        try:
            self._models = await list_models(self._session.gateway)
        except GatewayError:
            self._models = {}
        await self._show_models()

    async def _show_models(self) -> None:
        if not self._conversation.models and self._models:
            self._conversation = replace(self._conversation, models=(next(iter(self._models)),))
        for name in self._conversation.models:
            model = self._models.get(name)
            if model is not None and model.context_tokens is None:
                self._models[name] = replace(model, context_tokens=await ollama_context(self._session.gateway, name))
        self._topbar.show_models(self._models, self._conversation.models)
        self._show_context()

    def _note_typed(self, text: str) -> None:
        self._typed_tokens = estimate_tokens(text)
        self._show_context()

    def _show_context(self) -> None:
        """The fuller of two lanes: what the engine counted of the last answer, and what is being typed."""
        figures = [message.figures for message in self._thread.messages if message.figures.get("prompt_tokens")][-2:]
        counted = max((each["prompt_tokens"] + each.get("output_tokens", 0) for each in figures), default=0)
        limits = [self._models[name].context_tokens for name in self._conversation.models if name in self._models]
        known = [limit for limit in limits if limit]
        self._topbar.show_context(
            counted + self._typed_tokens, min(known) if known else None, self._typed_tokens > 0 or not counted
        )

    def _show_address(self) -> None:
        path = f"/c/{self._conversation.id}" if self._conversation.id else "/"
        ui.run_javascript(f"courseUi.address({path!r})")
