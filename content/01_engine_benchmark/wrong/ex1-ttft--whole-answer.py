"""You measured to the end of the answer. That is the end-to-end latency, and all that a client without streaming
can see.
"""

from typing import Any


def ttft_s(request: dict[str, Any]) -> float | None:
    return request["done_s"] - request["sent_s"]
