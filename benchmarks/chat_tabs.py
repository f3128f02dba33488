"""Tabs of the chat page without a browser: what each sends and gets over its WebSocket, and when.

Twenty browsers on the cores of one small machine would mostly measure those browsers. A tab here loads the page, speaks
NiceGUI's protocol (socket.io; nicegui.js of version 3), and looks for a word among the messages, as they come.
"""

import asyncio
import json
import re
import uuid
from time import perf_counter
from typing import Any

import aiohttp
import socketio

SOCKET_PATH = "_nicegui_ws/socket.io"
ESCAPED = (("&#36;", "$"), ("&#96;", "`"), ("&gt;", ">"), ("&lt;", "<"), ("&amp;", "&"))
"""As the page's own parseElements undoes them, in its order."""


class ChatTab:
    """One open page; `async with` opens and closes it.

    Args:
        url: the gateway's, without a path.
        first_word: what the first token of an answer shows, as HTML.
    """

    def __init__(self, url: str, first_word: str) -> None:
        self._url = url
        self._first_word = first_word
        self._socket = socketio.AsyncClient(reconnection=False)
        self._socket.on("*", self._take)
        self._ids: dict[str, Any] = {}
        self._listener = ""
        self._first: asyncio.Future[float] | None = None
        self._whole = asyncio.Event()

    async def __aenter__(self) -> "ChatTab":
        async with aiohttp.ClientSession() as session, session.get(self._url) as answer:
            page = await answer.text()
            cookies = "; ".join(f"{name}={morsel.value}" for name, morsel in answer.cookies.items())
        raw = re.search(r"parseElements\(String\.raw`(.*?)`\)", page, re.DOTALL)
        query = re.search(r"query: (\{.*?\}),", page)
        assert raw is not None
        assert query is not None
        text = raw.group(1)
        for escaped, character in ESCAPED:
            text = text.replace(escaped, character)
        events = json.loads(text)["0"]["events"]
        self._listener = next(event["listener_id"] for event in events if event["type"] == "course_send")
        self._ids = {
            **json.loads(query.group(1).replace("'", '"').replace("True", "true")),
            "document_id": str(uuid.uuid4()),
            "tab_id": str(uuid.uuid4()),
            "old_tab_id": "",
        }
        asked = "&".join(f"{name}={str(value).lower()}" for name, value in self._ids.items())
        headers = {"Cookie": cookies} if cookies else {}
        await self._socket.connect(
            f"{self._url}?{asked}", headers=headers, transports=["websocket"], socketio_path=SOCKET_PATH
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._socket.disconnect()

    async def say(self, text: str) -> float:
        """Send a message; returns the seconds to the first word once the answer is whole."""
        self._first = asyncio.get_running_loop().create_future()
        self._whole.clear()
        sent_s = perf_counter()
        fields = {"id": 0, "client_id": self._ids["client_id"], "listener_id": self._listener}
        await self._socket.emit("event", {**fields, "args": [json.dumps(text)]})
        first_s = await self._first
        await self._whole.wait()
        return first_s - sent_s

    def _take(self, event: str, message: Any) -> None:
        arrived_s = perf_counter()
        if event == "run_javascript" and self._first is not None and not self._first.done():
            if "courseUi.live(" in message["code"] and self._first_word in message["code"]:
                self._first.set_result(arrived_s)
        elif event == "update":
            classes = [set(element.get("class", ())) for element in message.values() if isinstance(element, dict)]
            if any("assistant" in each and "writing" not in each for each in classes):
                self._whole.set()
