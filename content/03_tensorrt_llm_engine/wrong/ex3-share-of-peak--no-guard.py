"""You divided by a time that is zero or less. Where nothing is left, there is no share."""


def share_of_peak(flops: float, ttft_s: float, overhead_s: float, peak_flops_per_s: float) -> float | None:
    return flops / (ttft_s - overhead_s) / peak_flops_per_s
