"""You digested the whole header. Only what stands after 'Bearer ' is the key."""

import hmac
from hashlib import sha256


def key_holder(authorization: str | None, digests: dict[str, str]) -> str | None:
    digest = sha256((authorization or "").encode()).hexdigest()
    holders = [name for name, known in digests.items() if hmac.compare_digest(known, digest)]
    return holders[0] if holders else None
