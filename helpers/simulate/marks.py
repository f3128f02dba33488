"""Where a simulation leaves what it was fitted on: said of every point, so that nobody leans on a guess unawares."""

from helpers.simulate.devices import CPU
from helpers.simulate.fit import ASSUMED_CONTEXT, fit
from helpers.simulate.system import System

SPARK = "gb10"

SMALLEST_PARAMETERS = 7e9
"""Of the models with published figures; in much smaller ones the launches decide, which those hardly show."""


def extrapolations(system: System, *, batch: int, longest: int, speculating: bool) -> tuple[str, ...]:
    """Why this point is not covered by a figure that the parameters were fitted on; empty if it is.

    Args:
        batch: sequences that run at once.
        longest: tokens of the longest, prompt and answer.
    """
    if system.device.id == CPU:
        return _beyond_this_cpu(system, batch)
    rows = [row.figure for row in fit().of_kind("decode")]
    marks = []
    if system.device.id != SPARK:
        marks.append(f"the efficiency of a DGX Spark is taken for {system.device.name}: no figure of it was fitted")
    engines = {figure.engine for figure in rows}
    if system.engine not in engines:
        marks.append(f"no published Spark figure of {system.engine} was fitted, only of {', '.join(sorted(engines))}")
    precisions = {figure.precision for figure in rows}
    if system.quantization not in precisions:
        marks.append(f"no published Spark figure in {system.quantization}, only in {', '.join(sorted(precisions))}")
    largest = max(figure.batch for figure in rows)
    if system.parallel == 1 and batch > largest:
        marks.append(f"batch {batch}: the published figures end at {largest}")
    reached = max(figure.decode_context_tokens or figure.input_tokens or ASSUMED_CONTEXT for figure in rows)
    if longest > reached:
        marks.append(f"{longest:,} tokens of context: the published figures end at {reached:,}")
    if system.parallel > 1:
        marks.append(f"{system.parallel} devices: published are three figures of two Sparks, one stream each")
    if system.eager and batch > 1:
        marks.append("eager mode: published are two figures, one stream each")
    if system.architecture.parameters < SMALLEST_PARAMETERS / 2:
        marks.append(f"the published models have {SMALLEST_PARAMETERS / 1e9:g} B parameters and more")
    if system.architecture.state_values:
        marks.append("layers with recurrent state: published is one figure, in eager mode")
    if speculating:
        marks.append("speculation: no figures of a DGX Spark were found; the head's cost and the acceptance are inputs")
    return tuple(marks)


def _beyond_this_cpu(system: System, batch: int) -> tuple[str, ...]:
    from helpers.simulate.this_cpu import profile

    measured = profile(system.engine)
    marks = []
    if measured.engine != system.engine:
        marks.append(f"{system.engine} was not measured on this CPU: the efficiency of {measured.engine} is taken")
    if batch > measured.largest_batch:
        marks.append(f"batch {batch}: this CPU was measured up to {measured.largest_batch}")
    if system.architecture.parameters > 2 * measured.largest_parameters:
        marks.append(f"the model is larger than what was measured here ({measured.largest_parameters / 1e6:,.0f} M)")
    return tuple(marks)
