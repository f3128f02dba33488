# %% [markdown] id="intro"
# # Lab 12.1: Engine benchmark
#
# **You will** write the figures of an engine benchmark yourself, from raw time stamps; measure a server with them;
# and answer one question of your own with a comparison that somebody else can check.
#
# **It takes** 3 hours, the first two parts about 90 minutes; 2 cores, 2 GB of memory, no GPU. The guided notebook
# `notebooks/01_engine_benchmark.ipynb` shows the way; this lab is yours to walk.
#
# | part | you do | minutes |
# |---|---|---|
# | 1 | seven figures from time stamps (exercises 1 to 7) | 45 |
# | 2 | a sweep, a knee, a fair comparison (exercises 8 to 10), the report | 45 |
# | 3, further | limits, published figures, a choice (exercises 11 to 13) | 60 |

# %% [markdown] id="how"
# ## How this lab works
# Each exercise is one function. Replace its `raise helpers.ExerciseTodo(...)` line, run the cell, then run the check
# under it: it says what holds, and what your mistake may be. The checks look at what your function returns, so write
# it any way you like. Stuck? `./course check 1` shows all exercises at once; the full answers are in `solutions/`.

# %% id="setup"
import helpers

# %% id="parameters" tags=["parameters"]
engine = "auto"
model = "course"
quick = True
seed = 0
run_dir = ""

# %% id="run-dir"
run_dir = helpers.run_folder(run_dir)

# %% [markdown] id="part-1"
# ## Part 1: figures from time stamps
# A request and its streamed answer, as a client sees them:
#
# ```text
# sent_s      role      "A KV"     " cache keeps"   " keys."        end      done_s
#   |----------|----------|-------------|--------------|--------------|----------|
#   |<------ TTFT ------->|<--- gap --->|<--- gap ---->|
# ```
#
# As JSON that is `{"sent_s", "events": [{"at_s", "delta"}, ...], "usage", "done_s"}`, all times in seconds of one
# clock. A `delta` may hold `content` (words of the answer), `reasoning_content` (hidden thinking), both, or neither.

# %% [markdown] id="ex1-text"
# ### Exercise 1: time to first token
# The user waits from sending until the first token, whether it is an answer's or a thought's. Return `None` if there
# was none.

# %% id="ex1-ttft"
from typing import Any


def ttft_s(request: dict[str, Any]) -> float | None:
    """Seconds from sending a request to its first event that carries words of the model."""
    ### BEGIN SOLUTION find the first event with content or reasoning_content, and subtract the time of sending
    for event in request["events"]:
        if event["delta"].get("content") or event["delta"].get("reasoning_content"):
            return event["at_s"] - request["sent_s"]
    return None
    ### END SOLUTION


# %% id="check-ex1-ttft"
helpers.check("ex1-ttft", ttft_s)

# %% [markdown] id="ex2-text"
# ### Exercise 2: how many tokens?
# The text is in front of you, so counting seems easy. Who knows the true number? It is `None` if nobody told you.


# %% id="ex2-output-tokens"
def output_tokens(request: dict[str, Any]) -> int | None:
    """Tokens generated for this request, hidden thinking included; None if that is not known."""
    ### BEGIN SOLUTION take the count from the one who knows it
    return request["usage"]["completion_tokens"] if request["usage"] else None
    ### END SOLUTION


# %% id="check-ex2-output-tokens"
helpers.check("ex2-output-tokens", output_tokens)

# %% [markdown] id="ex3-text"
# ### Exercise 3: time per output token
# TPOT is one value for each request: how long a token took, once the first had come. `chunk_s` holds the arrival of
# each chunk with words; a chunk may carry several tokens.


# %% id="ex3-tpot"
def tpot_s(chunk_s: list[float], output_tokens: int) -> float | None:
    """Seconds per output token after the first; None if there is no token after the first."""
    ### BEGIN SOLUTION divide the time from the first to the last chunk by the number of tokens after the first
    if output_tokens < 2:
        return None
    return (chunk_s[-1] - chunk_s[0]) / (output_tokens - 1)
    ### END SOLUTION


# %% id="check-ex3-tpot"
helpers.check("ex3-tpot", tpot_s)

# %% [markdown] id="ex4-text"
# ### Exercise 4: inter-token latency
# ITL looks at every gap between two chunks. A stall in the middle of one answer is invisible in its TPOT, and plain
# to see among the gaps of all requests.


# %% id="ex4-itl"
def itl_gaps_s(requests: list[list[float]]) -> list[float]:
    """All gaps between consecutive chunks, request after request.

    Args:
        requests: for each request, when its chunks arrived.
    """
    ### BEGIN SOLUTION collect the gaps inside each request in one list
    from itertools import pairwise

    return [later - earlier for chunk_s in requests for earlier, later in pairwise(chunk_s)]
    ### END SOLUTION


# %% id="check-ex4-itl"
helpers.check("ex4-itl", itl_gaps_s)

# %% [markdown] id="ex5-text"
# ### Exercise 5: percentile
# Nobody complains about a mean. The p90 is the value that 90 % of the requests stay below: sort, go to the position
# `percent / 100 * (n - 1)`, and where it lies between two values, go part of the way. (Write it with `sorted`; use a
# library from then on.)


# %% id="ex5-percentile"
def percentile(values: list[float], percent: float) -> float:
    """The percentile of the values, by linear interpolation; percent is between 0 and 100."""
    ### BEGIN SOLUTION sort, find the position, and interpolate between its two neighbours
    ordered = sorted(values)
    position = percent / 100 * (len(ordered) - 1)
    low = int(position)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (ordered[high] - ordered[low]) * (position - low)
    ### END SOLUTION


# %% id="check-ex5-percentile"
helpers.check("ex5-percentile", percentile)

# %% [markdown] id="ex6-text"
# ### Exercise 6: throughput
# From here on the run counts, not the request: how many output tokens did the server give all users together, per
# second, from the first request sent to the last answer ended? An `error` that is not empty means a failed request.


# %% id="ex6-throughput"
def output_tokens_per_s(requests: list[dict[str, Any]]) -> float:
    """Output tokens of the successful requests, per second of the run.

    Args:
        requests: each {"sent_s", "done_s", "output_tokens", "error"}.
    """
    ### BEGIN SOLUTION divide the tokens that arrived by the length of the run
    duration_s = max(r["done_s"] for r in requests) - min(r["sent_s"] for r in requests)
    return sum(r["output_tokens"] for r in requests if not r["error"]) / duration_s
    ### END SOLUTION


# %% id="check-ex6-throughput"
helpers.check("ex6-throughput", output_tokens_per_s)

# %% [markdown] id="ex7-text"
# ### Exercise 7: goodput
# Throughput counts tokens nobody was happy with. Goodput counts the requests that kept the promise: success, a first
# token in time, and a pace that can be read.


# %% id="ex7-goodput"
def goodput_per_s(requests: list[dict[str, Any]], ttft_limit_s: float, tpot_limit_s: float) -> float:
    """Requests per second of the run that succeeded and kept both bounds.

    Args:
        requests: each {"sent_s", "first_s", "last_s", "done_s", "output_tokens", "error"}.
    """

    def is_good(r: dict[str, Any]) -> bool:
        ### BEGIN SOLUTION say whether this request succeeded and kept both bounds
        tpot_s = (r["last_s"] - r["first_s"]) / (r["output_tokens"] - 1)
        return not r["error"] and r["first_s"] - r["sent_s"] <= ttft_limit_s and tpot_s <= tpot_limit_s
        ### END SOLUTION

    duration_s = max(r["done_s"] for r in requests) - min(r["sent_s"] for r in requests)
    return sum(is_good(r) for r in requests) / duration_s


# %% id="check-ex7-goodput"
helpers.check("ex7-goodput", goodput_per_s)

# %% [markdown] id="ex8-text"
# ### Exercise 8: the prefill rate
# TTFT holds more than prefill: network, template, scheduling, one sampled token. These do not grow with the prompt.
# So measure several lengths and lay a straight line: where it meets zero tokens is the overhead, and its slope is the
# prefill.


# %% id="ex8-prefill-line"
def prefill_line(prompt_tokens: list[int], ttft_s: list[float]) -> dict[str, float]:
    """Fit TTFT = overhead + tokens / rate by least squares.

    Returns:
        {"overhead_s": seconds, "tokens_per_s": prompt tokens computed a second}
    """
    ### BEGIN SOLUTION fit a straight line and turn its slope into a rate
    import numpy as np

    slope, intercept = np.polyfit(prompt_tokens, ttft_s, 1)
    return {"overhead_s": float(intercept), "tokens_per_s": float(1 / slope)}
    ### END SOLUTION


# %% id="check-ex8-prefill-line"
helpers.check("ex8-prefill-line", prefill_line)

# %% [markdown] id="ex9-text"
# ### Exercise 9: the knee
# More users at once give more tokens a second, up to a point; beyond it everybody only waits longer. A rule that does
# not move with the eye of the beholder: the knee is the load of greatest *power*, throughput divided by latency
# (Kleinrock, 1979).


# %% id="ex9-knee"
def knee(points: list[dict[str, Any]]) -> int | None:
    """The concurrency of greatest throughput / latency; None if no point is valid.

    Args:
        points: each {"concurrency", "output_tokens_per_s", "e2e_p50_s", "valid"}; only valid ones count.
    """
    ### BEGIN SOLUTION compare throughput / latency of the valid points
    valid = [point for point in points if point["valid"]]
    best = max(valid, key=lambda point: point["output_tokens_per_s"] / point["e2e_p50_s"], default=None)
    return best["concurrency"] if best else None
    ### END SOLUTION


# %% id="check-ex9-knee"
helpers.check("ex9-knee", knee)

# %% [markdown] id="ex10-text"
# ### Exercise 10: faster, or lucky?
# Two servers are measured in turn, again and again: pair i was measured at nearly the same time, so what disturbed
# one disturbed the other. For each pair take candidate / baseline, and average the ratios as logarithms (then twice
# and half make 1). How sure is that mean? Draw pairs with repetition, many times, and look at how the mean moves: this
# is the bootstrap. Each list in `resamples` holds the pair numbers of one draw.


# %% id="ex10-paired-ratio"
def paired_ratio(baseline: list[float], candidate: list[float], resamples: list[list[int]]) -> dict[str, Any]:
    """Candidate / baseline over pairs, with the 2.5 and 97.5 percentiles of the resampled means.

    Returns:
        {"ratio", "low", "high", "shown"}: shown is True if the interval does not contain 1.
    """
    ### BEGIN SOLUTION average the logarithms of the pairs' ratios, once for all pairs and once for each resample
    import numpy as np

    logs = np.log(np.array(candidate) / np.array(baseline))
    means = [logs[rows].mean() for rows in resamples]
    low, high = (float(np.exp(value)) for value in np.percentile(means, [2.5, 97.5]))
    return {"ratio": float(np.exp(logs.mean())), "low": low, "high": high, "shown": not low <= 1 <= high}
    ### END SOLUTION


# %% id="check-ex10-paired-ratio"
helpers.check("ex10-paired-ratio", paired_ratio)

# %% [markdown] id="ex11-text"
# ### Exercise 11: the decode ceiling
# To give every sequence its next token, a step reads all weights once, and each sequence's own keys and values. No
# engine can do that faster than the memory delivers.


# %% id="ex11-decode-ceiling"
def decode_ceiling_tokens_per_s(
    bandwidth_gb_per_s: float, weights_gb: float, kv_gb_per_sequence: float, batch: int
) -> float:
    """The most tokens a second, all sequences together, that this memory allows."""
    ### BEGIN SOLUTION divide the tokens of a step by the time its bytes take
    step_s = (weights_gb + batch * kv_gb_per_sequence) / bandwidth_gb_per_s
    return batch / step_s
    ### END SOLUTION


# %% id="check-ex11-decode-ceiling"
helpers.check("ex11-decode-ceiling", decode_ceiling_tokens_per_s)

# %% [markdown] id="ex12-text"
# ### Exercise 12: can this figure be true?
# Decode is held against the bandwidth (active weights x bytes a weight, for each token), prefill against the
# arithmetic (2 operations an active weight and token). A share above 1 is impossible, whoever published it.


# %% id="ex12-plausible"
def limit_shares(figure: dict[str, Any], machine: dict[str, Any]) -> dict[str, Any]:
    """A figure at batch 1 as shares of a machine's limits.

    Args:
        figure: {"active_parameters", "bytes_per_weight", "prefill_tokens_per_s", "decode_tokens_per_s"}.
        machine: {"bytes_per_s", "flops_per_s", "count"}: the limits of one machine, and how many there are.

    Returns:
        {"prefill": share, "decode": share, "impossible": names of the shares above 1, sorted}
    """
    ### BEGIN SOLUTION compute what each rate asks of the machines, and divide by what they have
    flops = 2 * figure["active_parameters"] * figure["prefill_tokens_per_s"]
    moved = figure["active_parameters"] * figure["bytes_per_weight"] * figure["decode_tokens_per_s"]
    shares = {
        "decode": moved / (machine["count"] * machine["bytes_per_s"]),
        "prefill": flops / (machine["count"] * machine["flops_per_s"]),
    }
    return {**shares, "impossible": sorted(name for name, share in shares.items() if share > 1)}
    ### END SOLUTION


# %% id="check-ex12-plausible"
helpers.check("ex12-plausible", limit_shares)

# %% [markdown] id="ex13-text"
# ### Exercise 13: which engine for which need?
# "The best engine" does not exist; the best for a need does. A need names the rate that matters, and may bound the
# p99 of the time to first token.


# %% id="ex13-choice"
def choose(rows: list[dict[str, Any]], need: dict[str, Any]) -> str | None:
    """The name of the row that serves a need best; None if no row may be chosen.

    Args:
        rows: each {"name", "prefill", "decode", "ttft_p99_s", "valid"}; rates in tokens a second.
        need: {"rate": "prefill" or "decode", "ttft_limit_s": seconds or None}.
    """
    ### BEGIN SOLUTION leave out rows that are not valid or start too late, then take the best rate
    limit_s = need["ttft_limit_s"]
    fit = [row for row in rows if row["valid"] and (limit_s is None or row["ttft_p99_s"] <= limit_s)]
    return max(fit, key=lambda row: row[need["rate"]])["name"] if fit else None
    ### END SOLUTION


# %% id="check-ex13-choice"
helpers.check("ex13-choice", choose)
