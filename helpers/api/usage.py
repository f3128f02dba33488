"""What engines say beside their words: token counts and the reasons of their refusals, in whichever form."""

import json

from helpers.api.calls import Call


def note_usage(call: Call, data: bytes) -> bool:
    """Find the last usage object in JSON or in events and account it; False if there is none.

    Inside a string the quotation marks would be escaped, so the bytes '"usage"' can only be a field's name.
    """
    start = data.rfind(b'"usage"')
    brace = data.find(b"{", start)
    if start < 0 or brace < 0 or data[start + 7 : brace].strip(b": \t\r\n"):
        return False
    try:
        usage, _ = json.JSONDecoder().raw_decode(data[brace : brace + 4096].decode("utf-8", "replace"))
    except ValueError:
        return False
    call.prompt_tokens = whole_number(usage.get("prompt_tokens"))
    call.output_tokens = whole_number(usage.get("completion_tokens"))
    details = usage.get("prompt_tokens_details")
    call.cached_tokens = whole_number(details.get("cached_tokens")) if isinstance(details, dict) else 0
    call.estimated = False
    return True


def whole_number(value: object) -> int:
    """The value if it is a count, else 0."""
    return value if isinstance(value, int) and value >= 0 else 0


def engine_message(body: bytes) -> str:
    """What an engine's error body says, in whichever of the usual forms it is."""
    try:
        error = json.loads(body)["error"]
        return str(error["message"] if isinstance(error, dict) else error)[:500]
    except (ValueError, KeyError, TypeError):
        return "The engine refused the request."
