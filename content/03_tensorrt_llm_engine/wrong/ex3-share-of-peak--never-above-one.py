"""You cut the share off at 1. Above 1 it is impossible, and exactly that must be seen."""


def share_of_peak(flops: float, ttft_s: float, overhead_s: float, peak_flops_per_s: float) -> float | None:
    computing_s = ttft_s - overhead_s
    return min(1.0, flops / computing_s / peak_flops_per_s) if computing_s > 0 else None
