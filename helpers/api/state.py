"""What all requests share, and what is done with a request's record when it has ended."""

import logging
from time import perf_counter

from helpers.api.auth import Keyring
from helpers.api.calls import Call
from helpers.api.ledger import Ledger
from helpers.api.limits import Accounts
from helpers.api.metrics import Metrics
from helpers.api.queue import WaitingQueue
from helpers.api.refusal import UpstreamFailure
from helpers.api.routing import Router, Target
from helpers.api.settings import Settings

logger = logging.getLogger("gateway")


class State:
    """One gateway's state; all of it belongs to one event loop, except what `ledger` writes.

    Attributes:
        running: requests being handled. draining: True after SIGTERM: new ones are refused.
    """

    def __init__(self, settings: Settings) -> None:
        limits = settings.limits
        self.settings = settings
        self.keyring = Keyring(settings.keys_required)
        self.accounts = Accounts(limits)
        self.queue = WaitingQueue(limits.max_in_flight, limits.max_waiting, limits.max_waiting_s)
        self.router = Router(settings.upstreams, settings.aliases, limits, settings.timeouts.connect_s)
        self.ledger = Ledger(settings.database, self.keyring)
        self.metrics = Metrics(self)
        self.running = 0
        self.draining = False

    @property
    def ready(self) -> bool:
        """True if a request could be answered."""
        return not self.draining and any(target.alive for target in self.router.targets)

    def note_failure(self, target: Target, failure: UpstreamFailure, call: Call) -> None:
        """An upstream failed a request: the operator learns what the client does not."""
        if failure.cause == "connect":
            target.alive = False
        self.metrics.note_upstream_failure(target.name, failure.cause)
        logger.warning("request %s: upstream %s failed: %s (%s)", call.request_id, target.name, failure.cause, failure)

    def finish(self, call: Call) -> None:
        """A request has ended: count it, log it, account it."""
        call.ended_s = perf_counter()
        self.metrics.note(call)
        self.ledger.add(call)
