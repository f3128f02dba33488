"""The brief's clock: one brief for fast and slow machines, and for a machine that is busy today.

A fixed small job, the yardstick, is measured just before the load. If it takes twice as long as on the machine that
the brief was written for, everything of the brief happens half as fast: requests arrive half as often and bounds are
twice as long. It is measured again after the load; figures are on the clock between the two. The job never depends on
the deployment that is judged, so nobody can slow the clock by a bad one.
"""

from dataclasses import dataclass
from math import sqrt
from statistics import median

from helpers.bench.arrivals import ClosedLoop
from helpers.bench.runner import measure
from helpers.bench.workloads import unique_prompts
from helpers.capstone.brief import Yardstick
from helpers.engines import registry
from helpers.engines.adapter import complete
from helpers.engines.plan import ServeConfig
from helpers.engines.starting import start
from helpers.errors import EngineFailed

MEASURED_REQUESTS = 3
"""One after another; their median counts, so that one disturbed request does not."""


@dataclass(frozen=True, slots=True)
class Pace:
    """How slow this machine is: `factor` seconds of the wall for one of the brief.

    Attributes:
        measured_s, nominal_s: of the yardstick, here and on the machine of the brief; equal where there is none.
        drift: measured after the load / before it; 1 where it was measured once.
    """

    measured_s: float
    nominal_s: float
    drift: float = 1.0

    @property
    def factor(self) -> float:
        """Wall seconds of one second of the brief."""
        return self.measured_s / self.nominal_s

    def until(self, later: "Pace") -> "Pace":
        """The clock of the time between two measurements: their geometric mean."""
        return Pace(sqrt(self.measured_s * later.measured_s), self.nominal_s, later.measured_s / self.measured_s)


WALL = Pace(1.0, 1.0)
"""The clock of briefs without a yardstick."""


def measure_pace(yardstick: Yardstick | None) -> Pace:
    """Measure the yardstick on an engine of its own.

    Raises:
        EngineUnavailable, EngineFailed: the yardstick's engine cannot run here, or answered nothing.
    """
    if yardstick is None:
        return WALL
    adapter = registry.find(yardstick.engine, yardstick.model)
    options = {"max_num_seqs": 1, "max_model_len": yardstick.input_tokens + yardstick.output_tokens + 64}
    config = complete(adapter, ServeConfig.build(engine=adapter.name, model=yardstick.model, **options))
    workload = unique_prompts(yardstick.input_tokens, yardstick.output_tokens)
    with start(adapter, config) as server:
        run = measure(server, workload, ClosedLoop(1), MEASURED_REQUESTS, warmup=1, label="yardstick")
    times_s = [record.e2e_s for record in run.records if record.ok and record.e2e_s]
    if not times_s:
        why = next((record.error for record in run.records if record.error), "")
        raise EngineFailed("the yardstick was not answered", why)
    return Pace(median(times_s), yardstick.nominal_s)
