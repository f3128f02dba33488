"""Text packed for a page that carries everything itself: deflated, then written in base 85.

plotly.js has 4.8 MB; packed it has 1.8 MB, and every browser since 2023 unpacks it by itself (DecompressionStream; the
other half of this module is `unpack` in templates/report.js). Base 85 adds a quarter, base 64 a third.
"""

import base64
import zlib
from functools import cache

from plotly.offline import get_plotlyjs


def pack(text: str) -> str:
    """Deflate (zlib) and base 85 as in RFC 1924, with "," for "<": nothing in it can end or nest a script element."""
    return base64.b85encode(zlib.compress(text.encode(), 9)).decode("ascii").replace("<", ",")


@cache
def packed_plotly() -> str:
    """plotly.js as the installed plotly package has it, packed."""
    return pack(get_plotlyjs())
