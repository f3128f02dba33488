"""The measuring client's accuracy beside the mock server, against the course's own bars.

    python benchmarks/client_accuracy.py [--repeats 5] [--json]

Truth is what the mock recorded of the same requests (50 ms to the first token, 5 ms between tokens). Bars: TTFT p50
error at most 5 ms at 64 streams and 25 ms at 256, and the peak in flight as requested, in the median of the repeats.
Exit code 1 if one does not hold.
"""

import argparse
import json
import os
import statistics
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from helpers.bench.calibrate import GAP_S, OUTPUT_TOKENS, STREAMS, TTFT_S, ErrorPoint, measure_error
from helpers.client.mock import MockServer

BARS_S = {64: 0.005, 256: 0.025}


def main() -> int:
    """Measure, print, and compare with the bars."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    points: dict[int, list[ErrorPoint]] = {streams: [] for streams in STREAMS}
    with MockServer(ttft_s=TTFT_S, gap_s=GAP_S, output_tokens=OUTPUT_TOKENS) as mock:
        for _ in range(arguments.repeats):
            for streams, measured in points.items():
                measured.append(measure_error(mock, streams, beside_load=False))
    rows = [_row(streams, measured) for streams, measured in points.items()]
    if arguments.json:
        print(json.dumps({"rows": rows, "load_average": os.getloadavg()[0]}))
    else:
        print(f"median (worst) of {arguments.repeats} repeats, reported minus true, ms; load {os.getloadavg()[0]:.1f}")
        for row in rows:
            cells = ", ".join(
                f"{name} {row[name][0]:+.2f} ({row[name][1]:+.2f})"
                for name in ("ttft_p50", "ttft_p99", "gap_p50", "gap_p99")
            )
            print(f"{row['streams']:>4} streams: {cells}, peak {row['peak_in_flight']}, {row['verdict']}")
    return 0 if all(row["verdict"] != "missed" for row in rows) else 1


def _row(streams: int, measured: list[ErrorPoint]) -> dict[str, Any]:
    def spread_ms(values: list[float]) -> tuple[float, float]:
        return statistics.median(values) * 1000, max(values, key=abs) * 1000

    ttft_p50 = spread_ms([point.ttft_p50_error_s for point in measured])
    peak = min(point.peak_in_flight for point in measured)
    bar_s = BARS_S.get(streams)
    held = peak == streams and (bar_s is None or ttft_p50[0] <= bar_s * 1000)
    return {
        "streams": streams,
        "ttft_p50": ttft_p50,
        "ttft_p99": spread_ms([point.ttft_p99_error_s for point in measured]),
        "gap_p50": spread_ms([point.gap_p50_error_s for point in measured]),
        "gap_p99": spread_ms([point.gap_p99_error_s for point in measured]),
        "peak_in_flight": peak,
        "verdict": ("no bar" if bar_s is None else "held") if held else "missed",
    }


if __name__ == "__main__":
    sys.exit(main())
