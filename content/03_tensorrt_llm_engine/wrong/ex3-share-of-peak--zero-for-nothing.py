"""You returned 0 where nothing was left. That is a measurement of nothing, not a share of nothing."""


def share_of_peak(flops: float, ttft_s: float, overhead_s: float, peak_flops_per_s: float) -> float | None:
    computing_s = ttft_s - overhead_s
    return flops / computing_s / peak_flops_per_s if computing_s > 0 else 0.0
