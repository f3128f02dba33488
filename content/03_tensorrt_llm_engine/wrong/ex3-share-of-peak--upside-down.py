"""You divided the peak by the rate: that is how many times as fast it could be."""


def share_of_peak(flops: float, ttft_s: float, overhead_s: float, peak_flops_per_s: float) -> float | None:
    computing_s = ttft_s - overhead_s
    return peak_flops_per_s * computing_s / flops if computing_s > 0 else None
