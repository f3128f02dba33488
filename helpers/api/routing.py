"""Which upstream? Of those that serve the model, the one with the prefix in its cache, or the least loaded."""

from collections.abc import Iterable, Mapping, Sequence
from itertools import count
from time import monotonic
from zlib import crc32

from helpers.api.refusal import Refused
from helpers.api.settings import Limits, UpstreamSettings
from helpers.api.upstream import Pool
from helpers.client.wire import Endpoint

OPENS_AFTER = 3
"""Failures in a row that open a circuit breaker."""

FIRST_OPEN_S, LONGEST_OPEN_S = 1.0, 30.0


class Target:
    """One URL of an upstream: its connections, its models, its load and its circuit breaker.

    The breaker opens after failures in a row; then one request is let through as a trial, and decides whether it
    closes again or stays open for twice as long.
    """

    def __init__(self, upstream: UpstreamSettings, url: str, number: int, connect_s: float) -> None:
        self.endpoint = Endpoint.parse(url)
        self.name = upstream.name if len(upstream.urls) == 1 else f"{upstream.name}-{number}"
        self.upstream = upstream.name
        self.pool = Pool(self.endpoint, connect_s)
        self.is_ollama = False
        self.models: dict[str, dict[str, object]] = {}
        self.alive = False
        self.in_flight = 0
        self._failures = 0
        self._open_s = FIRST_OPEN_S
        self._open_until_s = 0.0
        self._trial = False
        self.authorization = {"Authorization": f"Bearer {upstream.api_key}"} if upstream.api_key else {}
        authorization = "".join(f"{name}: {value}\r\n" for name, value in self.authorization.items())
        self._headers = f"Host: {self.endpoint.authority}\r\n{authorization}Content-Type: application/json\r\n"

    def encode(self, path: str, body: bytes, request_id: str = "gateway", method: str = "POST") -> bytes:
        """A request's bytes; `path` is below the host, such as /v1/models."""
        own = f"X-Request-Id: {request_id}\r\nContent-Length: {len(body)}\r\n\r\n"
        return f"{method} {path} HTTP/1.1\r\n{self._headers}{own}".encode("latin-1") + body

    @property
    def available(self) -> bool:
        """True if a request may be sent now."""
        if not self.alive or monotonic() < self._open_until_s:
            return False
        return self._failures < OPENS_AFTER or not self._trial

    def enter(self) -> None:
        """A request is sent to it."""
        self.in_flight += 1
        self._trial = self._failures >= OPENS_AFTER

    def leave(self, healthy: bool | None) -> None:
        """A request has ended: well, badly, or (None) in a way that says nothing about the upstream."""
        self.in_flight -= 1
        self._trial = False
        if healthy:
            self._failures, self._open_s, self._open_until_s = 0, FIRST_OPEN_S, 0.0
        elif healthy is False:
            self._failures += 1
            if self._failures >= OPENS_AFTER:
                self._open_until_s = monotonic() + self._open_s
                self._open_s = min(2 * self._open_s, LONGEST_OPEN_S)


class Router:
    """All targets, and `models`: who serves which, without aliases; `refresh` after a target's models have changed."""

    def __init__(
        self, upstreams: Iterable[UpstreamSettings], aliases: Mapping[str, str], limits: Limits, connect_s: float
    ) -> None:
        self.targets = [
            Target(upstream, url, number, connect_s)
            for upstream in upstreams
            for number, url in enumerate(upstream.urls, start=1)
        ]
        self.aliases = aliases
        self._slack = limits.affinity_slack
        self.models: dict[str, list[Target]] = {}
        self._turn = count()

    def refresh(self) -> None:
        """Take over the targets' lists of models."""
        by_model: dict[str, list[Target]] = {}
        for target in self.targets:
            for model in target.models:
                by_model.setdefault(model, []).append(target)
        self.models = by_model

    def resolve(self, name: str) -> tuple[str, list[Target]]:
        """The upstreams' name of a model, and its targets: by name, alias, Ollama's NAME:latest, or an upstream's name.

        Raises:
            Refused: 404, nobody serves it.
        """
        for model in (name, self.aliases.get(name, ""), name.removesuffix(":latest"), f"{name}:latest"):
            if targets := self.models.get(model):
                return model, targets
        for target in self.targets:
            if target.upstream == name and target.models:
                model = next(iter(target.models))
                return model, [other for other in self.models[model] if other.upstream == name]
        raise Refused(
            404, "model_not_found", f"There is no model {name[:100]!r} here; /v1/models lists them.", param="model"
        )

    def choose(self, targets: Sequence[Target], prefix: bytes, tried: Sequence[Target]) -> Target | None:
        """The best available target that was not tried; None if there is none.

        Requests with one prefix go to one target (rendezvous hashing: each keeps its share when another one goes), as
        long as that is not busier than the least loaded one by more than the slack.
        """
        free = [target for target in targets if target.available and target not in tried]
        if len(free) < 2:
            return free[0] if free else None
        least = min(target.in_flight for target in free)
        if prefix:
            favourite = max(free, key=lambda target: crc32(prefix, crc32(target.name.encode())))
            if favourite.in_flight <= least + self._slack:
                return favourite
        idlest = [target for target in free if target.in_flight == least]
        return idlest[next(self._turn) % len(idlest)]
