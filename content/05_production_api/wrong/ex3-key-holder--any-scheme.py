"""You did not look at the scheme. What follows 'Basic' is a name and a password, no key of this server."""

import hmac
from hashlib import sha256


def key_holder(authorization: str | None, digests: dict[str, str]) -> str | None:
    key = (authorization or "").partition(" ")[2]
    digest = sha256(key.encode()).hexdigest()
    holders = [name for name, known in digests.items() if hmac.compare_digest(known, digest)]
    return holders[0] if holders else None
