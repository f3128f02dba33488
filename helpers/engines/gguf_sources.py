"""What an engine of GGUF files is told to load: a path, or `OWNER/NAME:TAG` on the hub."""

import re
from dataclasses import replace
from pathlib import Path

from helpers.engines.plan import close_match
from helpers.engines.sources import Source, at_path
from helpers.errors import UsageError
from helpers.models import catalogue, hub

HUB_FILE = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*(:[\w.-]+)?")


def known_precisions(model: str) -> tuple[str, ...]:
    """The quantizations of a model's GGUF files, the default first; empty for what the catalogue does not have."""
    return tuple(hub.models()[model].gguf) if model in hub.models() else ()


def find_gguf(model: str, precision: str) -> Source:
    """A GGUF file by catalogue id, hub id or path; directories are exported (f16 unless a precision is given).

    Raises:
        UsageError: it is nothing of these, or there are no such files.
    """
    known = hub.models().get(model)
    if known is not None:
        location = known.gguf.get(precision or next(iter(known.gguf), ""), "")
        if not location:
            raise UsageError(
                f"no GGUF files of {model}{f' in {precision}' if precision else ''} are known",
                f"the catalogue has {', '.join(known.gguf) or 'none'}",
                "give OWNER/NAME:TAG on the hub, or the path of a .gguf file, as the model",
            )
        return Source(location, False, known, known.context_length, known.kv_values_per_token)
    local = model in catalogue.entries() or Path(model).expanduser().exists()
    if not local and HUB_FILE.fullmatch(model):
        return Source(model, False)
    if not local:
        names = (*catalogue.entries(), *hub.models())
        raise UsageError(
            f"unknown model {model!r}{close_match(model, names)}",
            f"the catalogue has {', '.join(names)}; OWNER/NAME:TAG or the path of a .gguf file works too",
        )
    files = catalogue.resolve(model)
    if files.gguf_file is not None:
        return Source(str(files.gguf_file), True)
    return replace(at_path(files.directory), location=str(catalogue.gguf(model, precision or "f16")))
