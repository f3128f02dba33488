"""Your check breaks when there is no header. A stranger would get status 500 instead of 401, and your log a
stack trace.
"""

import hmac
from hashlib import sha256


def key_holder(authorization: str | None, digests: dict[str, str]) -> str | None:
    scheme, _, key = authorization.partition(" ")
    digest = sha256(key.encode()).hexdigest()
    holders = [name for name, known in digests.items() if hmac.compare_digest(known, digest)]
    return holders[0] if scheme.lower() == "bearer" and holders else None
