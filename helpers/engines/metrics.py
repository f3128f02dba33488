"""Server-side metrics under one set of names for all engines.

requests_running, requests_waiting      requests being computed, and waiting for a slot
kv_cache_usage                          0 to 1
prompt_tokens_total, output_tokens_total, cached_tokens_total
prefill_seconds_total, decode_seconds_total, decode_steps_total
drafts_total, draft_tokens_total, accepted_tokens_total         speculation
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
    values = parse(answer.body.decode("utf-8", "replace"))
    return {common: values[name] for name, common in names.items() if name in values}
