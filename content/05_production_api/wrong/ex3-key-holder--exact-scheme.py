"""You asked for 'Bearer' in exactly these letters. The scheme's name may be written in any; some clients send
'bearer'.
"""

import hmac
from hashlib import sha256


def key_holder(authorization: str | None, digests: dict[str, str]) -> str | None:
    scheme, _, key = (authorization or "").partition(" ")
    digest = sha256(key.encode()).hexdigest()
    holders = [name for name, known in digests.items() if hmac.compare_digest(known, digest)]
    return holders[0] if scheme == "Bearer" and holders else None
