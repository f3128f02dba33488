from helpers.bench.validity import Asked, Note, is_valid, judge
from helpers.client.records import RequestRecord, Usage


def records(count: int = 100, *, together: int = 4, cached: int = 0, output_tokens: int = 8) -> list[RequestRecord]:
    """`count` good requests, `together` at a time, back to back."""
    run = []
    for index in range(count):
        sent_s = float(index // together)
        chunks = [sent_s + 0.1 * (step + 1) for step in range(output_tokens)]
        usage = Usage(prompt_tokens=100, output_tokens=output_tokens, cached_tokens=cached)
        run.append(RequestRecord(str(index), sent_s, sent_s, chunks, done_s=sent_s + 0.9, usage=usage, status=200))
    return run


def kinds(notes: list[Note]) -> list[str]:
    return [note.kind for note in notes]


def test_a_clean_run_has_no_notes() -> None:
    asked = Asked(concurrency=4, output_tokens=8, unique_prompts=True, load_average=0.1, cores=2)
    assert judge(records(), asked) == []


def test_missed_concurrency_invalidates() -> None:
    notes = judge(records(together=3), Asked(concurrency=4))
    assert kinds(notes) == ["peak-in-flight"]
    assert not is_valid(notes)
    assert "3" in notes[0].text
    assert "4" in notes[0].text


def test_errors_invalidate_and_show_the_first_one() -> None:
    run = records()
    run[7].error = "HTTP 503: busy"
    notes = judge(run, Asked())
    assert not is_valid(notes)
    assert "1 of 100" in notes[0].text
    assert "HTTP 503: busy" in notes[0].text


def test_no_request_at_all_is_not_a_valid_run() -> None:
    assert not is_valid(judge([], Asked()))


def test_a_prefix_cache_is_noted_only_where_prompts_were_meant_to_be_unique() -> None:
    assert judge(records(cached=10), Asked(unique_prompts=False)) == []
    slight = judge(records(cached=10), Asked(unique_prompts=True))
    assert kinds(slight) == ["prefix-cache"]
    assert is_valid(slight)
    assert not is_valid(judge(records(cached=50), Asked(unique_prompts=True)))


def test_output_lengths_that_differ_are_a_caution() -> None:
    run = records()
    run[0].usage.output_tokens = 5
    notes = judge(run, Asked(output_tokens=8))
    assert kinds(notes) == ["output-length"]
    assert "5 to 8" in notes[0].text
    assert is_valid(notes)


def test_coalesced_reads_are_noted_above_one_in_a_hundred() -> None:
    run = records()
    run[0].coalesced_chunks = 7  # exactly 1 % of 700 gaps
    assert judge(run, Asked()) == []
    run[1].coalesced_chunks = 7
    assert kinds(judge(run, Asked())) == ["coalesced"]


def test_answers_without_token_counts_are_noted() -> None:
    run = records()
    run[3].usage = Usage()
    assert "usage" in kinds(judge(run, Asked()))


def test_a_late_client_is_noted() -> None:
    run = records()
    for record in run[:5]:
        record.scheduled_s -= 0.05
    assert kinds(judge(run, Asked())) == ["late"]


def test_few_requests_and_a_busy_machine_are_cautions() -> None:
    notes = judge(records(20), Asked(load_average=1.5, cores=2))
    assert set(kinds(notes)) == {"few", "foreign-load"}
    assert is_valid(notes)


def test_invalidating_notes_come_first() -> None:
    notes = judge(records(20, together=2), Asked(concurrency=4, load_average=9.0, cores=2))
    assert [note.invalidates for note in notes] == [True, False, False]
