"""Answers being written. They belong to the gateway, not to a page: a reload or a second tab finds them again.

Pages look at `Hub.live` and `Hub.version` a few times a second; that is cheaper than telling every page of every token.
"""

import asyncio
import logging
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from time import perf_counter
from typing import Any

import orjson
from sqlalchemy.exc import SQLAlchemyError
from starlette.types import ASGIApp

from helpers.client.answers import Answer, read_events
from helpers.client.records import RequestRecord
from helpers.ui.advice import advise
from helpers.ui.figures import measure
from helpers.ui.gateway import Gateway, GatewayError
from helpers.ui.records import Conversation, Message
from helpers.ui.store import Store

SAVE_EVERY_S = 2.0
"""A gateway that is killed loses at most this much of an answer."""

UNFINISHED = "The end of this could not be kept: the gateway was stopped, or its database failed. Try again."
logger = logging.getLogger("gateway")


class LiveAnswer:
    """One answer while it is being written.

    Attributes:
        message: the stored message that it will become.
        version: grows with every token, so that a page knows whether there is something new.
    """

    def __init__(self, message: Message) -> None:
        self.message = message
        self.version = 0
        self.zero_s = perf_counter()
        self.record = RequestRecord(str(message.id), sent_s=0.0)
        self.answer = Answer(self.record)
        self.task: asyncio.Task[None] | None = None

    @property
    def text(self) -> str:
        """The words so far."""
        return "".join(self.answer.pieces)

    @property
    def thinking(self) -> str:
        """The thoughts so far, where the engine sends them apart."""
        return "".join(self.answer.thoughts)

    def figures(self) -> dict[str, Any]:
        """What is measured so far."""
        return measure(self.record, self.zero_s)

    def snapshot(self, state: str, error: str = "") -> Message:
        """The message as it is now."""
        return replace(
            self.message, text=self.text, thinking=self.thinking, state=state, error=error, figures=self.figures()
        )


class Hub:
    """All answers being written, and what has changed in which conversation.

    Attributes:
        live: answers by their message's id.
        version: by conversation id and by owner: grows when something of it was stored.
    """

    def __init__(self, app: ASGIApp, store: Store) -> None:
        self._app = app
        self.store = store
        self.live: dict[int, LiveAnswer] = {}
        self.version: Counter[str] = Counter()

    def gateway(self, key: str) -> Gateway:
        """The gateway, asked with this key."""
        return Gateway(self._app, key)

    def touch(self, conversation: Conversation) -> None:
        """Something of a conversation was stored: pages that show it, or its owner's list, look again."""
        self.version[conversation.id] += 1
        self.version[f"owner {conversation.owner}"] += 1

    def writing(self, conversation: Conversation) -> list[LiveAnswer]:
        """The conversation's answers that are being written."""
        return [live for live in self.live.values() if live.message.conversation == conversation.id]

    async def ask(self, conversation: Conversation, key: str, extra: dict[str, Any]) -> None:
        """Have each of the conversation's models answer its messages; returns when the answers have begun.

        Args:
            extra: fields for the engine, added to the request.
        """
        history = await asyncio.to_thread(self.store.list_messages, conversation)
        empty = [
            Message(0, conversation.id, "assistant", "", lane, model=model, state="writing")
            for lane, model in enumerate(conversation.models)
        ]
        for message in await asyncio.to_thread(self.store.add_messages, empty):
            live = self.live[message.id] = LiveAnswer(message)
            body = request_body(conversation, history, message) | extra
            live.task = asyncio.create_task(self._write(conversation, live, key, body))
            # A task that is cancelled before its first step runs none of its own clean-up.
            live.task.add_done_callback(partial(self._forget, message.id))
        self.touch(conversation)

    def _forget(self, number: int, _: asyncio.Task[None]) -> None:
        self.live.pop(number, None)

    async def stop(self, conversation: Conversation) -> None:
        """End the answers being written; what was written stays."""
        tasks = [live.task for live in self.writing(conversation) if live.task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def close(self) -> None:
        """End all answers."""
        for live in list(self.live.values()):
            if live.task is not None:
                live.task.cancel()
                await asyncio.gather(live.task, return_exceptions=True)

    def settled(self, message: Message) -> Message:
        """A stored message as it is to be shown: one that nobody is writing any more was interrupted."""
        if message.state == "writing" and message.id not in self.live:
            return replace(message, state="failed", error=UNFINISHED)
        return message

    async def _write(self, conversation: Conversation, live: LiveAnswer, key: str, body: dict[str, Any]) -> None:
        state, error = "done", ""
        try:
            await self._stream(live, key, body)
            live.answer.close("", given_up=False)
            if live.record.error:
                state, error = "failed", advise(live.record.error)
        except asyncio.CancelledError:
            state = "stopped"
        except GatewayError as refused:
            state, error = "failed", advise(refused.message, refused.status)
        except Exception:  # our own bug: nobody awaits this task, so that the page has to say it
            logger.exception("an answer for the chat page broke")
            state, error = "failed", advise("The gateway failed; its log says why")
        live.record.done_s = perf_counter() - live.zero_s
        live.version += 1
        try:
            await asyncio.shield(asyncio.to_thread(self.store.change_message, live.snapshot(state, error)))
        except SQLAlchemyError:
            logger.exception("an answer for the chat page could not be kept")
        finally:
            self.live.pop(live.message.id, None)  # at once: who looks because of the next line finds it settled
            self.touch(conversation)

    async def _stream(self, live: LiveAnswer, key: str, body: dict[str, Any]) -> None:
        saved_s = live.zero_s = perf_counter()
        async with self.gateway(key).send("POST", "/v1/chat/completions", orjson.dumps(body)) as answer:
            live.record.status = answer.status
            async for arrived_s, data in read_events(aiter(answer), live.zero_s):
                live.answer.add(arrived_s, data)
                live.version += 1
                if perf_counter() - saved_s > SAVE_EVERY_S:
                    saved_s = perf_counter()
                    await asyncio.to_thread(self.store.change_message, live.snapshot("writing"))


def request_body(conversation: Conversation, history: Sequence[Message], message: Message) -> dict[str, Any]:
    """The request whose answer `message` will be: system prompt, the messages of its lane, options.

    An answer that failed without a word is left out, so that two of the user's messages may follow each other.
    """
    messages = [{"role": "system", "content": conversation.system}] if conversation.system.strip() else []
    for said in history:
        if said.text and (said.role == "user" or said.lane == message.lane):
            messages.append({"role": said.role, "content": said.text})
    return {
        "model": message.model,
        "messages": messages,
        "stream": True,
        "stream_options": {"include_usage": True},
        **conversation.options,
    }
