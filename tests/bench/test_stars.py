from helpers.bench.stars import stars


def test_stars_follow_the_share_of_the_best() -> None:
    rates = {"best": 100.0, "near": 90.0, "two thirds": 67.0, "half": 50.0, "third": 33.0, "slow": 10.0}
    assert stars(rates) == {"best": 5, "near": 5, "two thirds": 4, "half": 3, "third": 2, "slow": 1}


def test_nothing_measured_gives_nothing() -> None:
    assert stars({}) == {}
    assert stars({"stuck": 0.0}) == {"stuck": 1}
