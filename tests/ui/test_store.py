import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from helpers.api.database import Database
from helpers.config import ROOT
from helpers.ui.records import BUILT_IN, Conversation, Message, Preset, first_title
from helpers.ui.store import Store


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = Store(f"sqlite:///{tmp_path / 'ui.sqlite'}")
    yield opened
    opened.close()


def add(store: Store, title: str = "A title", owner: str = "") -> Conversation:
    return store.add_conversation(Conversation("", owner, title, ("mock",), "Be short.", {"seed": 0}))


def test_a_conversation_is_kept_and_changed(store: Store) -> None:
    kept = add(store)
    assert store.find_conversation("", kept.id) == kept
    store.change_conversation(replace(kept, title="Another", models=("a", "b")))
    found = store.find_conversation("", kept.id)
    assert found is not None
    assert (found.title, found.models, found.system, found.options) == ("Another", ("a", "b"), "Be short.", {"seed": 0})


def test_the_latest_comes_first_and_words_are_found_in_titles_and_messages(store: Store) -> None:
    first, second = add(store, "About 100% of caches"), add(store, "Second")
    store.add_messages([Message(0, second.id, "user", "Tell me of Paging")])
    store.change_conversation(first)
    assert [each.id for each in store.list_conversations("")] == [first.id, second.id]
    assert [each.id for each in store.list_conversations("", "paging")] == [second.id]
    assert [each.id for each in store.list_conversations("", "100%")] == [first.id]
    assert store.list_conversations("", "100_") == []


def test_nobody_sees_or_changes_another_ones(store: Store) -> None:
    mine = add(store, owner="aa")
    assert store.find_conversation("bb", mine.id) is None
    assert store.list_conversations("bb") == []
    store.delete_conversation(replace(mine, owner="bb"))
    store.change_conversation(replace(mine, owner="bb", title="Taken"))
    assert store.find_conversation("aa", mine.id) == mine


def test_messages_keep_their_order_and_can_be_cut(store: Store) -> None:
    conversation = add(store)
    kept = store.add_messages([Message(0, conversation.id, "user", str(number)) for number in range(5)])
    assert [message.text for message in store.list_messages(conversation)] == list("01234")
    assert [message.text for message in store.list_messages(conversation, last=2)] == ["3", "4"]
    store.cut_messages(conversation, kept[3].id)
    again = store.add_messages([Message(0, conversation.id, "user", "new")])
    assert again[0].id > kept[-1].id, "a cut message's id is used again"
    assert [message.text for message in store.list_messages(conversation)] == ["0", "1", "2", "new"]


def test_an_answer_is_written_over(store: Store) -> None:
    conversation = add(store)
    (message,) = store.add_messages([Message(0, conversation.id, "assistant", "", state="writing", model="mock")])
    changed = replace(message, text="Words", thinking="Thoughts", state="done", figures={"ttft_s": 0.1})
    store.change_message(changed)
    assert store.list_messages(conversation) == [changed]


def test_deleting_takes_the_messages_too(store: Store) -> None:
    conversation = add(store)
    store.add_messages([Message(0, conversation.id, "user", "words")])
    store.delete_conversation(conversation)
    assert store.find_conversation("", conversation.id) is None
    assert store.list_messages(conversation) == []


def test_presets_are_kept_by_name_and_owner(store: Store) -> None:
    store.save_preset("aa", Preset("Mine", "One", {"seed": 1}))
    store.save_preset("aa", Preset("Mine", "Two", {"seed": 2}))
    store.save_preset("bb", Preset("Mine", "Three"))
    assert store.list_presets("aa") == [Preset("Mine", "Two", {"seed": 2})]
    store.delete_preset("aa", "Mine")
    assert store.list_presets("aa") == []
    assert len(store.list_presets("bb")) == 1


def test_a_preset_changes_how_is_asked_and_not_whom_unless_it_says(store: Store) -> None:
    conversation = Conversation("", "", "", ("a", "b"), "Old", {"top_p": 0.5})
    changed = conversation.with_preset(BUILT_IN[1])
    assert (changed.models, changed.system, changed.options) == (("a", "b"), "", {"temperature": 0.0, "seed": 0})
    assert conversation.with_preset(Preset("P", model="c")).models == ("c", "b")


def test_titles_are_one_line_cut_at_a_word() -> None:
    assert first_title("  What\nis it? ") == "What is it?"
    assert first_title("word " * 40).endswith("word …")
    assert len(first_title("word " * 40)) <= 62
    assert first_title(" ") == "New conversation"


def test_a_second_database_and_another_process_take_nothing_away_from_the_first(tmp_path: Path) -> None:
    # Closing any descriptor of an SQLite file drops all of the process's locks on it; another process may then take
    # itself for the last one, and remove the log that this one still writes.
    url = f"sqlite:///{tmp_path / 'both.sqlite'}"
    gateway = Database(url)
    gateway.add_key("before")
    store = Store(url)
    kept = add(store)
    code = f"from helpers.api.database import Database; d = Database({url!r}); d.add_key('other'); d.close()"
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)
    gateway.add_key("after")
    store.add_messages([Message(0, kept.id, "user", "words")])
    assert {key.name for key in gateway.valid_keys()} == {"before", "other", "after"}
    assert [message.text for message in store.list_messages(kept)] == ["words"]
    third = Store(url)  # as a pool opens one more connection when two are asked at once
    assert [message.text for message in third.list_messages(kept)] == ["words"]
    for opened in (third, store, gateway):
        opened.close()
