"""Model files for a real Ollama: passed on as they come, never kept here."""

import re

from fastapi import Request
from fastapi.responses import Response

from helpers.api.refusal import Refused, UpstreamFailure
from helpers.api.routing import Target

DIGEST = re.compile(r"sha256[:-][0-9a-f]{64}")
SILENCE_LIMIT_S = 120.0
"""Between two signs of life of an upload."""


async def relay_blob(target: Target, digest: str, request: Request) -> Response:
    """Ask whether an Ollama has a file (HEAD), or hand it one (POST), piece by piece.

    Raises:
        Refused: no digest, or the Ollama does not answer.
    """
    if not DIGEST.fullmatch(digest):
        raise Refused(400, "invalid_value", "A model file is named by its digest: sha256: and 64 hexadecimal digits.")
    import aiohttp  # 9 MiB that a gateway without uploads does without

    endpoint = target.endpoint
    url = f"{'https' if endpoint.tls else 'http'}://{endpoint.authority}{endpoint.root}/api/blobs/{digest}"
    timeout = aiohttp.ClientTimeout(total=None, sock_connect=10, sock_read=SILENCE_LIMIT_S)
    data = request.stream() if request.method == "POST" else None
    # With its length an upload goes on as it came; without, in chunks.
    length = {name: value for name, value in request.headers.items() if name == "content-length" and data is not None}
    try:
        async with (
            aiohttp.ClientSession(timeout=timeout) as session,
            session.request(request.method, url, data=data, headers={**target.authorization, **length}) as answer,
        ):
            body = await answer.read()
    except (aiohttp.ClientError, TimeoutError) as error:
        raise UpstreamFailure("lost", str(error)).refusal() from error
    return Response(body, answer.status, media_type="application/json")
