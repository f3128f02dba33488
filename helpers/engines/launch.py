"""From a name to a running server: `helpers.launch("llama.cpp")`."""

from dataclasses import replace
from typing import Any

from helpers.config import read_settings
from helpers.engines import brokered, persistent, registry
from helpers.engines.adapter import complete
from helpers.engines.attach import attach
from helpers.engines.drafts import known_draft
from helpers.engines.job import MEMORY_FRACTION
from helpers.engines.plan import ServeConfig
from helpers.engines.server import Server
from helpers.engines.starting import Progress, start
from helpers.errors import UsageError

BESIDE_FRACTION = MEMORY_FRACTION / 2
"""Of the machine's memory, for an engine that shares the GPU with another."""


def launch(
    engine: str = "auto",
    model: str = "",
    *,
    url: str = "",
    api_key: str = "",
    timeout_s: float | None = None,
    progress: Progress | None = None,
    beside: bool = False,
    **options: Any,
) -> Server:
    """Start an engine and wait until it answers, or attach to one that runs.

    With COURSE_ENGINE_URL in the environment nothing is started: it attaches to that URL, so that somebody else can
    own the engine. What was asked for is checked all the same, but served is what that server has. With
    COURSE_ENGINE_BROKER the owner at that URL starts what is asked for. An engine that `./course engines start` left
    running is used too if it serves the model with every option that is asked for.

    On a machine with a GPU, which several people may share, an engine that needs it waits for its turn.

    Args:
        engine: an engine's name; `auto` for this machine's default; `attach` for a URL.
        model: a catalogue id or a path; empty for the course model, or the first that an attached server lists.
        url, api_key: for `attach`.
        timeout_s: how long it may take to answer; None for the engine's own limit.
        progress: told what happens while it starts.
        beside: start it although another engine has the machine's GPU; it takes half of the usual memory fraction.
        **options: the fields of `ServeConfig`: precision, port, max_model_len, max_num_seqs, speculation, ...
            A draft that the catalogue knows need not be named.

    Raises:
        UsageError: an unknown engine or option (the message names the close one), or a value out of range.
        EngineUnavailable: this engine cannot run here, or has too little memory now; the message says what it needs.
        EngineFailed: it did not start, or nothing fitting answers at the URL.
    """
    registry.require_name(engine)
    model_name = model or "course"
    if not options.get("draft_model"):
        options["draft_model"] = known_draft(engine, model_name, str(options.get("speculation", "none")))
    config = ServeConfig.build(engine=engine, model=model_name, **options)
    settings = read_settings()
    if engine == "attach" or url:
        if engine != "attach" or not url:
            raise UsageError("a url goes with the engine 'attach', and only with it", "", 'launch("attach", url=...)')
        return attach(url, model=model, api_key=api_key or settings.api_key)
    if settings.engine_url:
        return attach(
            settings.engine_url, model=settings.engine_model, engine=settings.engine_name, api_key=settings.api_key
        )
    if settings.engine_broker:
        return brokered.launch(settings.engine_broker, config, beside)
    adapter = registry.find(engine, config.model, config.container)
    if beside and "gpu_memory_fraction" in adapter.extra:
        config = replace(config, extra={"gpu_memory_fraction": BESIDE_FRACTION, **config.extra})
    left_running = persistent.find(adapter.name, config)
    if left_running is not None:
        return persistent.use(left_running)
    return start(adapter, complete(adapter, config), timeout_s=timeout_s, progress=progress, beside=beside)
