import numpy as np
import pytest

from helpers.errors import EngineFailed
from helpers.nano.request import Draft, Request, SamplingOptions
from helpers.nano.sampling import Sampler, probabilities
from helpers.nano.step import Work

LOGITS = np.log(np.array([[0.1, 0.4, 0.2, 0.3], [0.7, 0.1, 0.1, 0.1]], np.float32))


def work_of(draft: tuple[int, ...] = (), **sampling: float) -> Work:
    request = Request.of("a", [1], 8, sampling=SamplingOptions(**sampling))  # type: ignore[arg-type]
    return Work(request, 0, 1 + len(draft), True, draft)


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, [0, 1, 0, 0]),
        ({"temperature": 1.0}, [0.1, 0.4, 0.2, 0.3]),
        ({"temperature": 0.5}, [1 / 30, 16 / 30, 4 / 30, 9 / 30]),
        ({"temperature": 1.0, "top_k": 2}, [0, 4 / 7, 0, 3 / 7]),
        ({"temperature": 1.0, "top_k": 100}, [0.1, 0.4, 0.2, 0.3]),
        ({"temperature": 1.0, "top_p": 0.65}, [0, 4 / 7, 0, 3 / 7]),
        ({"temperature": 1.0, "top_p": 0.75}, [0, 4 / 9, 2 / 9, 3 / 9]),
        ({"temperature": 1.0, "top_p": 0.0}, [0, 1, 0, 0]),
        ({"temperature": 1.0, "top_p": 0.75, "top_k": 1}, [0, 1, 0, 0]),
    ],
)
def test_probabilities(options: dict[str, float], expected: list[float]) -> None:
    np.testing.assert_allclose(
        probabilities(LOGITS, SamplingOptions(**options))[0],  # type: ignore[arg-type]
        expected,
        atol=1e-6,
    )


def test_top_k_is_applied_before_top_p_is_renormalised() -> None:
    shares = probabilities(LOGITS, SamplingOptions(temperature=1.0, top_k=3, top_p=0.9))
    np.testing.assert_allclose(shares.sum(axis=1), 1)
    assert (shares[0] > 0).tolist() == [False, True, True, True]


def test_draws_follow_the_probabilities() -> None:
    sampler, work = Sampler(), work_of(temperature=1.0, top_k=2, seed=7)
    drawn = [sampler.sample([work], LOGITS[:1], {})[0].tokens[0] for _ in range(4000)]
    counts = np.bincount(drawn, minlength=4) / len(drawn)
    np.testing.assert_allclose(counts, [0, 4 / 7, 0, 3 / 7], atol=0.03)


def test_a_request_draws_the_same_alone_and_beside_others() -> None:
    alone, work = Sampler(), work_of(temperature=1.0, seed=3)
    expected = [alone.sample([work], LOGITS[:1], {})[0].tokens for _ in range(50)]
    crowd, same, other = Sampler(), work_of(temperature=1.0, seed=3), work_of(temperature=1.0, seed=4)
    beside = [crowd.sample([other, same], LOGITS[::-1], {})[1].tokens for _ in range(50)]
    assert beside == expected
    assert len(set(expected)) > 1
    others = [crowd.sample([other], LOGITS[:1], {})[0].tokens for _ in range(50)]
    assert others != expected


def test_log_probabilities_are_the_models_own() -> None:
    sampled = Sampler().sample([work_of(temperature=0.1, seed=1, logprobs=2)], LOGITS[:1], {})[0]
    (told,) = sampled.logprobs
    assert [token for token, _ in told[1:]] == [1, 3]
    for token, logprob in told:
        assert logprob == pytest.approx(float(LOGITS[0, token]), abs=1e-5)
    assert told[0][0] == sampled.tokens[0]
    assert Sampler().sample([work_of()], LOGITS[:1], {})[0].logprobs == ()


def test_proposals_are_verified_against_their_own_rows() -> None:
    logits = np.vstack([LOGITS, LOGITS[:1]])
    right, wrong = work_of((1, 0)), work_of((1, 3))
    for work, expected in ((right, (1, 0, 1)), (wrong, (1, 0))):
        assert Sampler().sample([work], logits, {work.request: Draft(work.draft)})[0].tokens == expected


def test_no_numbers_fail_one_request_alone() -> None:
    for broken in (np.nan, np.inf):
        logits = LOGITS.copy()
        logits[0, 2] = broken
        bad, good = Sampler().sample([work_of(), work_of()], logits, {})
        assert bad.tokens == ()
        assert isinstance(bad.error, EngineFailed)
        assert "no finite numbers" in bad.error.what
        assert good.tokens == (0,)


def test_a_forgotten_request_keeps_no_generator() -> None:
    sampler, work = Sampler(), work_of(temperature=1.0, seed=3)
    first = [sampler.sample([work], LOGITS[:1], {})[0].tokens for _ in range(20)]
    sampler.forget(work.request)
    assert [sampler.sample([work], LOGITS[:1], {})[0].tokens for _ in range(20)] == first
