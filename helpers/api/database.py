"""Keys and usage in a database through SQLAlchemy: SQLite (WAL) by default, PostgreSQL by URL.

Keys are kept as digests. Usage is one row per request, kept for `USAGE_DAYS`.
"""

import os
import secrets
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path
from time import time
from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Engine,
    Float,
    Integer,
    MetaData,
    String,
    Table,
    create_engine,
    delete,
    event,
    func,
    insert,
    select,
    update,
)
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, IntegrityError, NoSuchModuleError, SQLAlchemyError

from helpers.api.auth import Key
from helpers.api.calls import Call
from helpers.api.settings import NAME
from helpers.config import read_settings
from helpers.errors import MissingError, UsageError

USAGE_DAYS = 90

METADATA = MetaData()

KEYS = Table(
    "gateway_keys",
    METADATA,
    Column("id", String(16), primary_key=True),
    Column("name", String(64), nullable=False, unique=True),
    Column("digest", String(64), nullable=False),
    Column("requests_per_minute", Integer, nullable=False),
    Column("tokens_per_minute", Integer, nullable=False),
    Column("max_in_flight", Integer, nullable=False),
    Column("may_change_models", Boolean, nullable=False),
    Column("created_at", Float, nullable=False),
    Column("revoked_at", Float),
)

USAGE = Table(
    "gateway_usage",
    METADATA,
    Column("number", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=True),
    Column("at", Float, nullable=False, index=True),
    Column("request_id", String(64), nullable=False),
    Column("api", String(32), nullable=False),
    Column("key_id", String(16), nullable=False),
    Column("model", String(256), nullable=False),
    Column("upstream", String(80), nullable=False),
    Column("status", Integer, nullable=False),
    Column("outcome", String(32), nullable=False),
    Column("prompt_tokens", BigInteger, nullable=False),
    Column("output_tokens", BigInteger, nullable=False),
    Column("cached_tokens", BigInteger, nullable=False),
    Column("estimated", Boolean, nullable=False),
    Column("ttft_s", Float),
    Column("e2e_s", Float, nullable=False),
)


def default_url() -> str:
    """SQLite in the course's cache folder."""
    return f"sqlite:///{read_settings().cache / 'gateway' / 'gateway.sqlite'}"


class Database:
    """One database; every method is one transaction. Errors come as the course's own, without passwords."""

    def __init__(self, url: str = "") -> None:
        self.url = url or default_url()
        self._engine = open_engine(self.url, METADATA)

    def close(self) -> None:
        """Close its connections."""
        self._engine.dispose()

    def add_key(self, name: str, **rights: Any) -> str:
        """Make a key and return its text, which is kept nowhere.

        Raises:
            UsageError: the name is taken, or no name.
        """
        if not NAME.fullmatch(name):
            raise UsageError(
                f"{name!r} is no name for a key", "letters, digits, dots, dashes and underscores, at most 64"
            )
        text, key = new_key(name, **rights)
        row = {field: getattr(key, field) for field in Key.__slots__} | {"created_at": time()}
        try:
            with self._engine.begin() as connection:
                connection.execute(insert(KEYS), [row])
        except IntegrityError as error:
            raise UsageError(f"there is a key {name!r} already", "names stay taken", "./course keys list") from error
        return text

    def valid_keys(self) -> list[Key]:
        """The keys that are not revoked."""
        columns = [KEYS.c[name] for name in Key.__slots__]
        with self._engine.connect() as connection:
            return [Key(*row) for row in connection.execute(select(*columns).where(KEYS.c.revoked_at.is_(None)))]

    def list_keys(self) -> list[dict[str, Any]]:
        """All keys with what they have used; no digests."""
        used = (
            select(
                USAGE.c.key_id,
                func.count().label("requests"),
                func.sum(USAGE.c.prompt_tokens).label("prompt_tokens"),
                func.sum(USAGE.c.output_tokens).label("output_tokens"),
            )
            .group_by(USAGE.c.key_id)
            .subquery()
        )
        columns: list[Any] = [column for column in KEYS.c if column.name != "digest"]
        columns += [
            func.coalesce(used.c[name], 0).label(name) for name in ("requests", "prompt_tokens", "output_tokens")
        ]
        query = select(*columns).outerjoin(used, used.c.key_id == KEYS.c.id).order_by(KEYS.c.created_at)
        with self._engine.connect() as connection:
            return [
                {**row, "prompt_tokens": int(row["prompt_tokens"]), "output_tokens": int(row["output_tokens"])}
                for row in connection.execute(query).mappings()
            ]

    def revoke_key(self, name: str) -> None:
        """End a key; running gateways notice within a second.

        Raises:
            UsageError: no such valid key.
        """
        query = update(KEYS).where(KEYS.c.name == name, KEYS.c.revoked_at.is_(None)).values(revoked_at=time())
        with self._engine.begin() as connection:
            changed = connection.execute(query).rowcount
        if not changed:
            raise UsageError(f"there is no valid key {name!r}", "", "./course keys list")

    def write_usage(self, calls: Sequence[Call]) -> None:
        """Write a batch of usage rows, all or none."""
        with self._engine.begin() as connection:
            connection.execute(insert(USAGE), [usage_row(call) for call in calls])

    def prune_usage(self) -> None:
        """Forget usage older than `USAGE_DAYS`."""
        with self._engine.begin() as connection:
            connection.execute(delete(USAGE).where(USAGE.c.at < time() - USAGE_DAYS * 86_400))

    def usage(self) -> list[dict[str, Any]]:
        """All usage rows, oldest first."""
        with self._engine.connect() as connection:
            return [dict(row) for row in connection.execute(select(USAGE).order_by(USAGE.c.number)).mappings()]


def new_key(name: str, **rights: Any) -> tuple[str, Key]:
    """A key's text, shown once, and its record."""
    key_id = secrets.token_hex(4)
    text = f"ck-{key_id}-{secrets.token_urlsafe(32)}"
    return text, Key(key_id, name, sha256(text.encode()).hexdigest(), **rights)


def usage_row(call: Call) -> dict[str, Any]:
    """A call's row."""
    return {
        "at": call.at,
        "request_id": call.request_id,
        "api": call.api,
        "key_id": call.key_id,
        "model": call.model,
        "upstream": call.upstream,
        "status": call.status,
        "outcome": call.outcome,
        "prompt_tokens": call.prompt_tokens,
        "output_tokens": call.output_tokens,
        "cached_tokens": call.cached_tokens,
        "estimated": call.estimated,
        "ttft_s": call.ttft_s,
        "e2e_s": call.e2e_s,
    }


def open_engine(text: str, tables: MetaData) -> Engine:
    """Connect to a database by URL (empty: the default) and make the tables that it lacks.

    Raises:
        UsageError: no URL. MissingError: no driver, no such server, no rights.
    """
    text = text or default_url()
    try:
        url = make_url(text)
        if url.get_backend_name() == "sqlite" and url.database and url.database != ":memory:":
            _make_private_file(Path(url.database))
        engine = create_engine(url, pool_pre_ping=url.get_backend_name() != "sqlite")
    except (ArgumentError, NoSuchModuleError) as error:
        raise UsageError(
            "the database's URL cannot be read", str(error)[:200], "--database postgresql+psycopg://USER@HOST/NAME"
        ) from error
    except ImportError as error:
        raise MissingError(
            "the database's driver is not installed", str(error), "pip install 'psycopg[binary]'"
        ) from error
    if url.get_backend_name() == "sqlite":
        event.listen(engine, "connect", _use_wal)
    try:
        tables.create_all(engine)
    except SQLAlchemyError as error:
        raise MissingError(
            "the database cannot be used", str(error).splitlines()[0][:300], "check --database"
        ) from error
    return engine


def _make_private_file(path: Path) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        # Only a new file: to close a descriptor of one that this process has open would drop SQLite's locks on it, and
        # another process could then remove the log that is still being written.
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
    except FileExistsError:
        return
    except OSError as error:
        raise MissingError(f"cannot write {path}", error.strerror or "", "check --database") from error


def _use_wal(connection: Any, _record: object) -> None:
    # WAL: readers and the writer do not wait for each other; NORMAL: a killed process loses nothing that was committed.
    cursor = connection.cursor()
    cursor.execute("PRAGMA journal_mode=WAL")
    cursor.execute("PRAGMA synchronous=NORMAL")
    cursor.execute("PRAGMA busy_timeout=5000")
    cursor.close()
