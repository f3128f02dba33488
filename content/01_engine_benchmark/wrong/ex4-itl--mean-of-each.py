"""You averaged each request. Means hide the stalls that pooled gaps are there to show: one gap of two seconds
vanishes among a hundred of ten milliseconds.
"""


def itl_gaps_s(requests: list[list[float]]) -> list[float]:
    long_enough = [chunk_s for chunk_s in requests if len(chunk_s) > 1]
    return [(chunk_s[-1] - chunk_s[0]) / (len(chunk_s) - 1) for chunk_s in long_enough]
