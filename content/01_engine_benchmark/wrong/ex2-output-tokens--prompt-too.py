"""You added the prompt's tokens. They were read, not generated: with them a long prompt makes decoding look fast."""

from typing import Any


def output_tokens(request: dict[str, Any]) -> int | None:
    usage = request["usage"]
    return usage["completion_tokens"] + usage["prompt_tokens"] if usage else None
