"""You encoded the data once more. The event's data is sent as it is; a client would get a string where it expects an
object.
"""

import json


def sse_event(data: str) -> str:
    return f"data: {json.dumps(data)}\n\n"
