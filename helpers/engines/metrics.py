"""Server-side metrics under one set of names for all engines.

requests_running, requests_waiting      requests being computed, and waiting for a slot
kv_cache_usage                          0 to 1
prompt_tokens_total, output_tokens_total, cached_tokens_total
prefill_seconds_total, decode_seconds_total, decode_steps_total
preemptions_total                       sequences that lost their place in the KV cache
drafts_total, draft_tokens_total, accepted_tokens_total         speculation
acceptance_length                       tokens emitted per forward pass of the target, the bonus token included
"""

from collections.abc import Mapping

from helpers.engines import probe
from helpers.errors import EngineFailed


def parse(text: str) -> dict[str, float]:
    """Prometheus text -> name -> value; the series of one name (labels) are summed, histogram buckets left out.

    Format: https://prometheus.io/docs/instrumenting/exposition_formats/
    """
    values: dict[str, float] = {}
    for line in text.splitlines():
        if not line or line.startswith("#"):
            continue
        head, _, value = line.rpartition("} ") if "{" in line else line.partition(" ")
        name = head.partition("{")[0]
        if name.endswith("_bucket"):
            continue
        try:
            number = float(value.split()[0])
        except (ValueError, IndexError):
            continue  # not a sample: some servers add lines of their own
        values[name] = values.get(name, 0.0) + number
    return values


def scrape(url: str, names: Mapping[str, str], *, api_key: str = "") -> dict[str, float]:
    """Read a metrics page and translate it.

    Args:
        url: of the page.
        names: the engine's name -> the common one; others are left out.
        api_key: bearer token; empty for none.

    Returns:
        Empty if the engine has no such page.

    Raises:
        EngineFailed: it does not answer.
    """
    answer = probe.get(url, api_key=api_key)
    if answer.status is None:
        raise EngineFailed(f"no metrics: {answer.failure}", "the engine has ended, or the URL is wrong")
    if answer.status != 200:
        return {}
    return translate(parse(answer.body.decode("utf-8", "replace")), names)


def translate(values: Mapping[str, float], names: Mapping[str, str]) -> dict[str, float]:
    """From an engine's names to the common ones.

    Counters are found with and without `_total`, which the Python client library adds. The acceptance length is the
    engine's own where it reports one (SGLang, TensorRT-LLM), else 1 + accepted / drafts (vLLM, llama.cpp): both count
    the token that verification itself yields.
    """
    found = {}
    for name, common in names.items():
        other = name.removesuffix("_total") if name.endswith("_total") else f"{name}_total"
        value = values.get(name, values.get(other))
        if value is not None:
            found[common] = value
    if "accepted_tokens_total" in found and found.get("drafts_total"):
        found.setdefault("acceptance_length", 1 + found["accepted_tokens_total"] / found["drafts_total"])
    if found.get("acceptance_length", 1.0) < 1.0:
        del found["acceptance_length"]  # a gauge before the first verification
    return found
