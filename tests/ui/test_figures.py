import pytest

from helpers.client.records import RequestRecord, Usage
from helpers.ui.export import as_json, as_markdown
from helpers.ui.figures import describe, estimate_tokens, live_acceptance, measure, size
from helpers.ui.records import Conversation, Message


def answered(**usage: int) -> RequestRecord:
    return RequestRecord("1", sent_s=0.0, chunk_s=[0.2, 0.3, 0.4], done_s=0.5, usage=Usage(**usage))


def test_figures_are_those_of_the_engine_where_it_counts() -> None:
    found = measure(answered(prompt_tokens=7, output_tokens=11, cached_tokens=4), 0.0)
    assert found["ttft_s"] == pytest.approx(0.2)
    assert found["output_tokens_per_s"] == pytest.approx(50.0)
    assert (found["output_tokens"], found["prompt_tokens"], found["cached_tokens"]) == (11, 7, 4)
    assert found["counted"]
    assert "acceptance_length" not in found


def test_a_rate_is_the_engine_s_own_where_it_tells() -> None:
    record = answered(output_tokens=11)
    record.engine_timings = {"predicted_n": 11, "predicted_per_second": 80.5}
    assert measure(record, 0.0)["output_tokens_per_s"] == 80.5
    record.engine_timings = {"predicted_n": 1, "predicted_per_second": 1e6}
    assert measure(record, 0.0)["output_tokens_per_s"] == pytest.approx(50.0)


def test_chunks_out_of_a_buffer_have_no_rate() -> None:
    usage = Usage(output_tokens=41)
    record = RequestRecord("1", sent_s=0.0, chunk_s=[0.038] * 40 + [0.039], done_s=0.04, usage=usage)
    assert "output_tokens_per_s" not in measure(record, 0.0)
    assert "tokens/s" not in describe(measure(record, 0.0))


def test_while_nothing_is_counted_chunks_are() -> None:
    found = measure(answered(), 0.0)
    assert (found["output_tokens"], found["counted"]) == (3, False)
    assert "about 3 tokens" in describe(found)


def test_acceptance_length_is_tokens_per_forward_pass() -> None:
    found = measure(answered(output_tokens=11, draft_tokens=8, accepted_tokens=5), 0.0)
    assert found["acceptance_length"] == pytest.approx(10 / 5)
    assert live_acceptance({"predicted_n": 11, "draft_n_accepted": 5}) == pytest.approx(2.0)
    assert live_acceptance({"predicted_n": 11}) is None
    assert live_acceptance({"predicted_n": 1, "draft_n_accepted": 0}) is None


def test_an_answer_without_a_token_has_no_rate() -> None:
    found = measure(RequestRecord("1", sent_s=0.0, done_s=0.1), 0.0)
    assert "ttft_s" not in found
    assert describe(found) == ""


def test_sizes_and_estimates() -> None:
    assert [size(count) for count in (12, 5_200, 4_700_000_000)] == ["12 B", "5.2 kB", "4.7 GB"]
    assert [estimate_tokens(text) for text in ("", "a", "abcde")] == [0, 1, 2]


def test_exports_say_who_said_what_and_what_was_measured() -> None:
    conversation = Conversation("id", "secret-owner", "A title", ("m",), "Be short.")
    messages = [
        Message(1, "id", "user", "Question?"),
        Message(2, "id", "assistant", "Answer.", model="m", figures={"ttft_s": 0.05}),
    ]
    text = as_markdown(conversation, messages)
    for part in ("# A title", "> Be short.", "## You", "Question?", "## m", "Answer.", "TTFT 50 ms"):
        assert part in text
    assert "secret-owner" not in as_json(conversation, messages)
    assert '"Answer."' in as_json(conversation, messages)
