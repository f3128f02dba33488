"""What `launch` would start, without starting it."""

from typing import Any

from helpers.engines import registry
from helpers.engines.adapter import complete
from helpers.engines.drafts import known_draft
from helpers.engines.plan import LaunchPlan, ServeConfig


def make_plan(engine: str, model: str = "course", **options: Any) -> LaunchPlan:
    """The commands and files that start an engine, also one that cannot run on this machine.

    Args:
        engine: an engine's name.
        model: a catalogue id, a hub id, or a path.
        **options: as for `launch`; a port that is not given is the engine's usual one.

    Raises:
        UsageError: an unknown engine or option, or something that this engine cannot do; the message says what it can.
    """
    adapter = registry.choose(engine, model, options.get("container"))
    filled = {
        **options,
        "port": options.get("port") or adapter.default_port,
        "draft_model": options.get("draft_model")
        or known_draft(adapter.name, model, str(options.get("speculation", "none"))),
    }
    return adapter.plan(complete(adapter, ServeConfig.build(engine=adapter.name, model=model, **filled)))
