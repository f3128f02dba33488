"""The acceptance view: its passes are those of the engine, and its text is the answer."""

import pytest

from helpers.errors import UsageError
from helpers.models.tokenizer import load_tokenizer
from helpers.nano.engine import load_engine
from helpers.ui.panels.acceptance import AcceptanceView
from helpers.ui.panels.passes import Pass, Spoken, speak

PROMPT = "Count from 1 to 9."


@pytest.fixture(scope="module")
def plain_answer() -> str:
    engine, tokenizer = load_engine("course", max_num_seqs=1), load_tokenizer("course")
    ids = tokenizer.encode(tokenizer.render_chat([{"role": "user", "content": PROMPT}]))
    request = engine.add_request(ids, max_tokens=24)
    return tokenizer.decode(list(engine.stream(request)))


@pytest.mark.parametrize("speculation", ["ngram", "draft", "eagle3"])
def test_the_passes_together_are_the_answer_without_speculation(plain_answer: str, speculation: str) -> None:
    spoken = speak(PROMPT, speculation=speculation, draft_tokens=3, max_tokens=24)
    assert spoken.text == plain_answer
    for one in spoken.passes:
        assert len(one.kept) + len(one.rejected) <= 3
    assert spoken.passes[0].kept == ()


def test_what_is_rejected_is_seen_and_counted() -> None:
    spoken = speak("Tell me a story.", speculation="draft", max_tokens=24, temperature=1.0, seed=3)
    rejected = sum(len(one.rejected) for one in spoken.passes)
    kept = sum(len(one.kept) for one in spoken.passes)
    assert rejected > 0
    assert f"{kept} of {kept + rejected} proposed" in spoken.summary


def test_the_summary_leaves_out_the_pass_that_had_no_proposals() -> None:
    spoken = Spoken((Pass((), (), "a"), Pass(("b", "c"), (), "d"), Pass(("e",), ("x",), "f")))
    assert spoken.summary.startswith("2.50 tokens a pass of the target over 2 passes; 3 of 4 proposed")
    assert "nothing was proposed" in Spoken((Pass((), (), "a"),)).summary


def test_text_and_colours_say_the_same_and_hide_nothing() -> None:
    view = AcceptanceView(PROMPT, max_tokens=24)
    view.spoken = Spoken((Pass((), (), "1"), Pass((" <b>",), ("\n",), " 3")))
    assert view.text().endswith("1[ <b>]{\n} 3")
    html = view.html()
    assert "&lt;b&gt;</ins>" in html
    assert ">⏎</del>" in html
    assert "<b>" not in html
    assert "nano, course, EAGLE-3 head, 4 proposed" in html


def test_the_controls_ask_again_and_walk_through_the_passes() -> None:
    view = AcceptanceView(PROMPT, max_tokens=24)
    first, options, (play, place), shown = (getattr(row, "children", row) for row in view.widget.children)
    prompt, run = first
    prompt.value, options[0].value, options[1].value = "Count from 1 to 4.", "ngram", 2
    run.click()
    assert "Count from 1 to 4." in shown.value
    assert "n-gram look-up, 2 proposed" in shown.value
    assert play.max == place.max == place.value == len(view.spoken.passes)
    place.value = 1
    assert "Pass 1 of" in shown.value
    assert not run.disabled


def test_values_out_of_range_are_refused() -> None:
    with pytest.raises(UsageError, match="draft_tokens=9"):
        AcceptanceView(PROMPT, draft_tokens=9)
    with pytest.raises(UsageError, match="'none'"):
        AcceptanceView(PROMPT, speculation="none")
