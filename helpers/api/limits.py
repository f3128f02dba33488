"""May this key ask now? Token buckets for requests and tokens per minute, and a count of what is running."""

from math import ceil
from time import monotonic

from helpers.api.auth import Key
from helpers.api.refusal import Refused
from helpers.api.settings import Limits


class Bucket:
    """Holds a minute's allowance and refills steadily; may be overdrawn by what is known only afterwards."""

    def __init__(self, per_minute: int) -> None:
        self.capacity = float(per_minute)
        self.level = self.capacity
        self.filled_s = monotonic()

    def wait_s(self, amount: float) -> float:
        """Seconds until `amount` is there; 0 if it is. More than the capacity is never there: a full bucket does."""
        now_s = monotonic()
        self.level = min(self.capacity, self.level + (now_s - self.filled_s) * self.capacity / 60)
        self.filled_s = now_s
        return max(0.0, (min(amount, self.capacity) - self.level) * 60 / self.capacity)

    def take(self, amount: float) -> None:
        """Take, or with a negative amount give back."""
        self.level = min(self.capacity, self.level - amount)


class Account:
    """What one key has used lately."""

    def __init__(self, key: Key, limits: Limits) -> None:
        self.key = key
        self.in_flight = 0
        self.max_in_flight = key.max_in_flight or limits.key_in_flight
        requests = key.requests_per_minute or limits.requests_per_minute
        tokens = key.tokens_per_minute or limits.tokens_per_minute
        self.requests = Bucket(requests) if requests else None
        self.tokens = Bucket(tokens) if tokens else None

    def enter(self, tokens: int) -> None:
        """Begin a request of about so many tokens.

        Raises:
            Refused: 429, with the seconds after which there is room again.
        """
        if self.max_in_flight and self.in_flight >= self.max_in_flight:
            raise Refused(429, "key_busy", f"This key may have {self.max_in_flight} requests running at once.", 1)
        for bucket, amount, what in ((self.requests, 1, "requests"), (self.tokens, tokens, "tokens")):
            if bucket is not None and (wait_s := bucket.wait_s(amount)) > 0:
                message = f"This key may use {bucket.capacity:.0f} {what} per minute."
                raise Refused(429, "rate_limit_exceeded", message, ceil(wait_s))
        self.in_flight += 1
        if self.requests is not None:
            self.requests.take(1)
        if self.tokens is not None:
            self.tokens.take(tokens)

    def leave(self, estimated_tokens: int, used_tokens: int) -> None:
        """End a request: what was taken on estimate becomes what was used."""
        self.in_flight -= 1
        if self.tokens is not None:
            self.tokens.take(used_tokens - estimated_tokens)


class Accounts:
    """The accounts of all keys that have asked; a key whose record has changed starts a new one."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._accounts: dict[str, Account] = {}

    def of(self, key: Key) -> Account:
        """The key's account."""
        account = self._accounts.get(key.id)
        if account is None or account.key != key:
            account = self._accounts[key.id] = Account(key, self._limits)
        return account
