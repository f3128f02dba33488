"""Whether a run may be believed: notes that mark it, each saying what was wanted, what was seen, what it spoils.

A note either makes the run invalid (its figures answer another question than the one asked) or is a caution (one
figure needs care). A report never drops a marked run silently: it prints it with its notes.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from helpers.bench.metrics import peak_in_flight, summarize
from helpers.client.records import RequestRecord

COALESCED_SHARE = 0.01
"""Share of gaps from one socket read above which the pooled ITL is noted: one in a hundred already moves p99."""

CACHED_SHARE = 0.05
"""Share of prompt tokens from a prefix cache that is noted; a chat template's own head stays below it on prompts
of a few hundred tokens."""

CACHED_SHARE_INVALID = 0.20
"""Share of prompt tokens from a prefix cache at which "unique prompts" is no longer true."""

FOREIGN_LOAD_SHARE = 0.25
"""Busy cores before the run / cores above which the machine was not idle."""

SAMPLES_FOR_P99 = 100
"""Fewest samples with one of them beyond the 99th percentile."""

LATE_S = 0.010
"""A request sent this much later than scheduled was held up by the client."""


@dataclass(frozen=True, slots=True)
class Note:
    """One mark: `kind` for programs, `text` for people, `invalidates` if the figures must not be compared."""

    kind: str
    text: str
    invalidates: bool = False


@dataclass(frozen=True, slots=True)
class Asked:
    """What the run was meant to do; None where nothing particular was asked.

    Attributes:
        concurrency: requests in flight that a closed loop was to hold.
        output_tokens: fixed output length of every request.
        unique_prompts: no prompt shares a beginning with another.
        load_average: busy processes on this machine in the minute before the run.
        cores: cores of this machine.
    """

    concurrency: int | None = None
    output_tokens: int | None = None
    unique_prompts: bool = False
    load_average: float | None = None
    cores: int | None = None


def judge(records: Sequence[RequestRecord], asked: Asked) -> list[Note]:
    """Every note this run earns, the invalidating ones first; an empty list means nothing was found."""
    checks = (_errors, _peak, _cached, _lengths, _missing_usage, _coalesced, _late, _few, _foreign)
    notes = [note for check in checks if (note := check(records, asked))]
    return sorted(notes, key=lambda note: not note.invalidates)


def is_valid(notes: Sequence[Note]) -> bool:
    """True if no note invalidates the run."""
    return not any(note.invalidates for note in notes)


def _errors(records: Sequence[RequestRecord], asked: Asked) -> Note | None:
    failed = [record for record in records if not record.ok]
    if not records:
        return Note("empty", "no request was made", invalidates=True)
    if not failed:
        return None
    text = f"{len(failed)} of {len(records)} requests failed (first: {failed[0].error})"
    return Note("errors", text, invalidates=True)


def _peak(records: Sequence[RequestRecord], asked: Asked) -> Note | None:
    peak = peak_in_flight(records)
    if asked.concurrency is None or peak >= asked.concurrency:
        return None
    text = f"at most {peak} requests were in flight where {asked.concurrency} were asked for"
    return Note("peak-in-flight", text, invalidates=True)


def _cached(records: Sequence[RequestRecord], asked: Asked) -> Note | None:
    counted = [r.usage for r in records if r.ok and r.usage.prompt_tokens and r.usage.cached_tokens is not None]
    prompt = sum(usage.prompt_tokens or 0 for usage in counted)
    share = sum(usage.cached_tokens or 0 for usage in counted) / prompt if prompt else 0.0
    if not asked.unique_prompts or share <= CACHED_SHARE:
        return None
    text = f"{share:.0%} of prompt tokens came from a prefix cache though prompts were unique: prefill looks faster"
    return Note("prefix-cache", text, invalidates=share > CACHED_SHARE_INVALID)


def _lengths(records: Sequence[RequestRecord], asked: Asked) -> Note | None:
    lengths = [r.usage.output_tokens for r in records if r.ok and r.usage.output_tokens is not None]
    if asked.output_tokens is None or all(length == asked.output_tokens for length in lengths):
        return None
    text = f"outputs had {min(lengths)} to {max(lengths)} tokens where {asked.output_tokens} were asked for"
    return Note("output-length", f"{text}: rates compare different work")


def _missing_usage(records: Sequence[RequestRecord], asked: Asked) -> Note | None:
    answered = [record for record in records if record.ok]
    missing = sum(record.usage.output_tokens is None or record.usage.prompt_tokens is None for record in answered)
    if not missing:
        return None
    return Note("usage", f"{missing} of {len(answered)} answers came without token counts: token rates are not known")


def _coalesced(records: Sequence[RequestRecord], asked: Asked) -> Note | None:
    share = summarize(records).coalesced_share
    if share <= COALESCED_SHARE:
        return None
    return Note("coalesced", f"{share:.0%} of chunks shared a socket read with the one before: ITL shows the reader")


def _late(records: Sequence[RequestRecord], asked: Asked) -> Note | None:
    sent = [record for record in records if record.sent_s is not None]
    late = sum((record.sent_s or 0.0) - record.scheduled_s > LATE_S for record in sent)
    if late <= len(sent) * 0.01:
        return None
    return Note(
        "late", f"{late} of {len(sent)} requests left over {LATE_S * 1000:.0f} ms late: the client held them up"
    )


def _few(records: Sequence[RequestRecord], asked: Asked) -> Note | None:
    answered = sum(record.ok for record in records)
    if not 0 < answered < SAMPLES_FOR_P99:
        return None
    return Note("few", f"{answered} requests: p99 per request is little more than the slowest one")


def _foreign(records: Sequence[RequestRecord], asked: Asked) -> Note | None:
    if asked.load_average is None or not asked.cores or asked.load_average <= asked.cores * FOREIGN_LOAD_SHARE:
        return None
    text = f"the machine was busy before the run: load {asked.load_average:.1f} on {asked.cores} cores"
    return Note("foreign-load", text)
