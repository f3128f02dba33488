"""You only strike out the draft's favourite. Each token has had some of its share, not that one alone."""


def residual(target: list[float], proposal: list[float]) -> list[float]:
    favourite = proposal.index(max(proposal))
    left = [0.0 if token == favourite else share for token, share in enumerate(target)]
    return [share / sum(left) for share in left]
