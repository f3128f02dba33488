"""Conversations, messages and presets in the gateway's database. Every method is one transaction and one owner's."""

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from time import time
from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    Column,
    Float,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
    delete,
    insert,
    or_,
    select,
    update,
)

from helpers.api.database import open_engine
from helpers.ui.records import Conversation, Message, Preset

METADATA = MetaData()

CONVERSATIONS = Table(
    "ui_conversations",
    METADATA,
    Column("id", String(32), primary_key=True),
    Column("owner", String(16), nullable=False, index=True),
    Column("title", String(200), nullable=False),
    Column("models", JSON, nullable=False),
    Column("system", Text, nullable=False),
    Column("options", JSON, nullable=False),
    Column("created_at", Float, nullable=False),
    Column("updated_at", Float, nullable=False),
)

MESSAGES = Table(
    "ui_messages",
    METADATA,
    Column("id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=True),
    Column("conversation", String(32), nullable=False, index=True),
    Column("role", String(16), nullable=False),
    Column("text", Text, nullable=False),
    Column("lane", Integer, nullable=False),
    Column("thinking", Text, nullable=False),
    Column("model", String(256), nullable=False),
    Column("state", String(16), nullable=False),
    Column("error", Text, nullable=False),
    Column("figures", JSON, nullable=False),
    Column("at", Float, nullable=False),
    sqlite_autoincrement=True,  # an id is never used again, so that a page cannot mistake one message for another
)

PRESETS = Table(
    "ui_presets",
    METADATA,
    Column("number", Integer, primary_key=True, autoincrement=True),
    Column("owner", String(16), nullable=False),
    Column("name", String(80), nullable=False),
    Column("system", Text, nullable=False),
    Column("options", JSON, nullable=False),
    Column("model", String(256), nullable=False),
    UniqueConstraint("owner", "name"),
)

TITLE_LIMIT = 200


class Store:
    """The UI's tables, beside the gateway's own, in the database of that URL."""

    def __init__(self, url: str) -> None:
        self._engine = open_engine(url, METADATA)

    def close(self) -> None:
        """Close its connections."""
        self._engine.dispose()

    def list_conversations(self, owner: str, words: str = "", limit: int = 200) -> list[Conversation]:
        """The latest first; with `words` those whose title or messages contain them."""
        query = select(CONVERSATIONS).where(CONVERSATIONS.c.owner == owner)
        if words:
            said = select(MESSAGES.c.conversation).where(MESSAGES.c.text.icontains(words, autoescape=True))
            query = query.where(
                or_(CONVERSATIONS.c.title.icontains(words, autoescape=True), CONVERSATIONS.c.id.in_(said))
            )
        with self._engine.connect() as connection:
            rows = connection.execute(query.order_by(CONVERSATIONS.c.updated_at.desc()).limit(limit)).mappings()
            return [_conversation(row) for row in rows]

    def find_conversation(self, owner: str, conversation_id: str) -> Conversation | None:
        """The owner's conversation of that id; None if there is none."""
        query = select(CONVERSATIONS).where(CONVERSATIONS.c.id == conversation_id, CONVERSATIONS.c.owner == owner)
        with self._engine.connect() as connection:
            row = connection.execute(query).mappings().first()
        return None if row is None else _conversation(row)

    def add_conversation(self, conversation: Conversation) -> Conversation:
        """Keep a new conversation; returns it with id and times."""
        now = time()
        kept = replace(conversation, id=secrets.token_hex(8), created_at=now, updated_at=now)
        with self._engine.begin() as connection:
            connection.execute(insert(CONVERSATIONS), [_conversation_row(kept)])
        return kept

    def change_conversation(self, conversation: Conversation) -> Conversation:
        """Write title, models, system prompt and options; it becomes the latest."""
        changed = replace(conversation, updated_at=time())
        with self._engine.begin() as connection:
            connection.execute(_mine(update(CONVERSATIONS), conversation).values(_conversation_row(changed)))
        return changed

    def delete_conversation(self, conversation: Conversation) -> None:
        """Forget a conversation and its messages."""
        with self._engine.begin() as connection:
            if connection.execute(_mine(delete(CONVERSATIONS), conversation)).rowcount:
                connection.execute(delete(MESSAGES).where(MESSAGES.c.conversation == conversation.id))

    def list_messages(self, conversation: Conversation, last: int = 0) -> list[Message]:
        """Messages in order; all, or the last ones."""
        query = select(MESSAGES).where(MESSAGES.c.conversation == conversation.id).order_by(MESSAGES.c.id.desc())
        if last:
            query = query.limit(last)
        with self._engine.connect() as connection:
            rows = connection.execute(query).mappings().all()
        return [Message(**row) for row in reversed(rows)]

    def add_messages(self, messages: Sequence[Message]) -> list[Message]:
        """Keep new messages; returns them with ids and times."""
        kept = []
        with self._engine.begin() as connection:
            for message in messages:
                row = {name: value for name, value in asdict(message).items() if name != "id"} | {"at": time()}
                result = connection.execute(insert(MESSAGES).values(row))
                assert result.inserted_primary_key is not None
                kept.append(replace(message, id=result.inserted_primary_key[0], at=row["at"]))
        return kept

    def change_message(self, message: Message) -> None:
        """Write what has become of an answer."""
        values = {name: getattr(message, name) for name in ("text", "thinking", "state", "error", "figures")}
        with self._engine.begin() as connection:
            connection.execute(update(MESSAGES).where(MESSAGES.c.id == message.id).values(values))

    def cut_messages(self, conversation: Conversation, first_id: int) -> None:
        """Forget this message and all after it."""
        query = delete(MESSAGES).where(MESSAGES.c.conversation == conversation.id, MESSAGES.c.id >= first_id)
        with self._engine.begin() as connection:
            connection.execute(query)

    def list_presets(self, owner: str) -> list[Preset]:
        """The owner's own presets by name."""
        query = select(PRESETS).where(PRESETS.c.owner == owner).order_by(PRESETS.c.name)
        with self._engine.connect() as connection:
            rows = connection.execute(query).mappings()
            return [Preset(row["name"], row["system"], row["options"], row["model"]) for row in rows]

    def save_preset(self, owner: str, preset: Preset) -> None:
        """Keep a preset; one of the same name is replaced."""
        row = asdict(preset) | {"owner": owner}
        with self._engine.begin() as connection:
            connection.execute(delete(PRESETS).where(PRESETS.c.owner == owner, PRESETS.c.name == preset.name))
            connection.execute(insert(PRESETS), [row])

    def delete_preset(self, owner: str, name: str) -> None:
        """Forget a preset."""
        with self._engine.begin() as connection:
            connection.execute(delete(PRESETS).where(PRESETS.c.owner == owner, PRESETS.c.name == name))


def _mine(statement: Any, conversation: Conversation) -> Any:
    return statement.where(CONVERSATIONS.c.id == conversation.id, CONVERSATIONS.c.owner == conversation.owner)


def _conversation(row: Mapping[Any, Any]) -> Conversation:
    return Conversation(**{**row, "models": tuple(row["models"])})


def _conversation_row(conversation: Conversation) -> dict[str, Any]:
    return asdict(conversation) | {"models": list(conversation.models), "title": conversation.title[:TITLE_LIMIT]}
