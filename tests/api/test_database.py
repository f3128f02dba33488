import os
import sqlite3
import stat
import sys
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace

import pytest
from sqlalchemy.dialects import postgresql
from sqlalchemy.schema import CreateTable

from helpers.api.auth import Keyring
from helpers.api.calls import Call
from helpers.api.database import METADATA, Database, default_url
from helpers.api.ledger import BATCH, Ledger
from helpers.errors import MissingError, UsageError
from tests.api.gateways import until


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "deep" / "gateway.sqlite"


def test_keys_are_kept_as_digests_in_a_private_file(path: Path) -> None:
    database = Database(f"sqlite:///{path}")
    text = database.add_key("alice", requests_per_minute=5, may_change_models=True)
    [key] = database.valid_keys()
    assert (key.name, key.requests_per_minute, key.may_change_models) == ("alice", 5, True)
    assert text[12:] not in "".join(map(str, sqlite3.connect(path).execute("select * from gateway_keys").fetchone()))
    assert stat.S_IMODE(os.stat(path).st_mode) == 0o600
    assert sqlite3.connect(path).execute("pragma journal_mode").fetchone() == ("wal",)
    database.close()


def test_names_are_unique_and_stay_taken(path: Path) -> None:
    database = Database(f"sqlite:///{path}")
    database.add_key("alice")
    database.revoke_key("alice")
    assert database.valid_keys() == []
    with pytest.raises(UsageError, match="already"):
        database.add_key("alice")
    with pytest.raises(UsageError, match="no valid key"):
        database.revoke_key("alice")
    with pytest.raises(UsageError, match="no name"):
        database.add_key("no name")
    assert [(key["name"], key["revoked_at"] is not None) for key in database.list_keys()] == [("alice", True)]
    database.close()


@pytest.mark.parametrize(
    ("url", "kind"),
    [
        ("nonsense", UsageError),
        ("nosuch://host/db", UsageError),
        ("sqlite:////proc/none/gateway.sqlite", MissingError),
        ("mysql+nosuchdriver://host/db", UsageError),
    ],
)
def test_a_database_that_cannot_be_used_is_explained(url: str, kind: type[Exception]) -> None:
    with pytest.raises(kind):
        Database(url)


def test_a_file_that_is_no_database_is_explained(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"this is no database at all, but long enough to be read" * 100)
    with pytest.raises(MissingError):
        Database(f"sqlite:///{tmp_path / 'x'}")


def test_the_default_is_in_the_course_s_cache() -> None:
    assert os.environ["COURSE_CACHE"] in default_url()


def test_the_tables_are_valid_for_postgresql() -> None:
    dialect = postgresql.dialect()  # type: ignore[no-untyped-call]
    text = "".join(str(CreateTable(table).compile(dialect=dialect)) for table in METADATA.sorted_tables)
    assert "BIGSERIAL" in text
    assert "VARCHAR(64)" in text


def test_a_ledger_survives_a_database_that_fails_for_a_while(
    path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    ledger = Ledger(f"sqlite:///{path}", Keyring(required=False))
    ledger.start()
    sqlite3.connect(path).execute("alter table gateway_usage rename to elsewhere").connection.close()
    ledger.add(Call("one", "chat"))
    until(lambda: '"one"' in capfd.readouterr().err)
    assert ledger.pending_rows == 1
    sqlite3.connect(path).execute("alter table elsewhere rename to gateway_usage").connection.close()
    until(lambda: ledger.pending_rows == 0)
    ledger.add(Call("two", "chat"))
    ledger.close()
    assert [row["request_id"] for row in Database(f"sqlite:///{path}").usage()] == ["one", "two"]


def test_a_busy_second_is_logged_and_written_in_small_pieces(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lines, rows = list[int](), list[int]()
    written = SimpleNamespace(write=lambda data: lines.append(data.count(b"\n")), flush=lambda: None)
    ledger = Ledger(f"sqlite:///{path}", Keyring(required=False))
    write_usage = ledger.database.write_usage

    def write(calls: Sequence[Call]) -> None:
        rows.append(len(calls))
        write_usage(calls)

    monkeypatch.setattr(sys, "stderr", SimpleNamespace(buffer=written))
    monkeypatch.setattr(ledger.database, "write_usage", write)
    for number in range(2 * BATCH + 1):
        ledger.add(Call(str(number), "chat"))
    ledger.start()
    ledger.close()
    assert lines == rows == [BATCH, BATCH, 1]
    numbers = [int(row["request_id"]) for row in Database(f"sqlite:///{path}").usage()]
    assert numbers == list(range(2 * BATCH + 1))


def test_old_usage_is_forgotten(path: Path) -> None:
    database = Database(f"sqlite:///{path}")
    database.write_usage([Call("old", "chat", at=1.0), Call("new", "chat")])
    database.prune_usage()
    assert [row["request_id"] for row in database.usage()] == ["new"]
    database.close()
