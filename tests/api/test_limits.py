import pytest

from helpers.api import limits as module
from helpers.api.auth import ANYONE, Key
from helpers.api.limits import Accounts, Bucket
from helpers.api.refusal import Refused
from helpers.api.settings import Limits


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    now = [1000.0]
    monkeypatch.setattr(module, "monotonic", lambda: now[0])
    return now


def test_a_bucket_refills_steadily_and_never_beyond_its_capacity(clock: list[float]) -> None:
    bucket = Bucket(60)
    bucket.take(60)
    assert bucket.wait_s(1) == pytest.approx(1.0)
    clock[0] += 0.5
    assert bucket.wait_s(1) == pytest.approx(0.5)
    clock[0] += 3600
    assert bucket.wait_s(60) == 0
    assert bucket.level == 60


def test_more_than_the_capacity_is_let_in_when_the_bucket_is_full_and_paid_off_later(clock: list[float]) -> None:
    bucket = Bucket(60)
    assert bucket.wait_s(1000) == 0
    bucket.take(180)
    assert bucket.wait_s(1) == pytest.approx(121)


def test_requests_per_minute(clock: list[float]) -> None:
    account = Accounts(Limits(requests_per_minute=2)).of(ANYONE)
    for _ in range(2):
        account.enter(10)
        account.leave(10, 10)
    with pytest.raises(Refused) as refused:
        account.enter(10)
    assert (refused.value.status, refused.value.retry_after_s) == (429, 30)
    clock[0] += 30
    account.enter(10)


def test_tokens_per_minute_are_taken_on_estimate_and_settled_by_use(clock: list[float]) -> None:
    account = Accounts(Limits(tokens_per_minute=100)).of(ANYONE)
    account.enter(80)
    with pytest.raises(Refused):
        account.enter(80)
    account.leave(80, 10)
    account.enter(80)
    account.leave(80, 300)
    with pytest.raises(Refused) as refused:
        account.enter(1)
    assert refused.value.retry_after_s == 127


def test_a_refused_request_takes_nothing(clock: list[float]) -> None:
    account = Accounts(Limits(requests_per_minute=5, tokens_per_minute=10)).of(ANYONE)
    account.enter(10)
    with pytest.raises(Refused):
        account.enter(10)
    assert account.requests is not None
    assert account.requests.level == 4
    assert account.in_flight == 1


def test_a_key_s_own_limits_come_first_and_a_changed_key_starts_anew() -> None:
    accounts = Accounts(Limits(key_in_flight=5))
    strict = Key("1", "strict", "", max_in_flight=1)
    accounts.of(strict).enter(0)
    with pytest.raises(Refused) as refused:
        accounts.of(strict).enter(0)
    assert refused.value.code == "key_busy"
    accounts.of(Key("1", "strict", "", max_in_flight=2)).enter(0)
    for _ in range(5):
        accounts.of(ANYONE).enter(0)
    with pytest.raises(Refused):
        accounts.of(ANYONE).enter(0)
