"""You divided by the whole TTFT. What does not grow with the prompt is no arithmetic."""


def share_of_peak(flops: float, ttft_s: float, overhead_s: float, peak_flops_per_s: float) -> float | None:
    return flops / ttft_s / peak_flops_per_s if ttft_s > overhead_s else None
