"""Variants of the course model that the grader has made already, shown to a jail read-only."""

import os
from pathlib import Path

from helpers.config import read_settings
from helpers.grade.request import UnitRequest
from helpers.models import catalogue

HEAVY = "course-heavy"


def show_models(request: UnitRequest, place: str, *, heavy: bool) -> tuple[Path, ...]:
    """Let the jail at a place find them where it looks.

    Args:
        request: the unit.
        place: of the jail.
        heavy: whether the heavy variant is wanted, which is made first if need be.

    Returns:
        What the jail must reveal; nothing where a jail has no file system of its own.
    """
    if not request.sandbox.namespaces:
        return ()
    models = read_settings().cache / "models"
    models.mkdir(parents=True, exist_ok=True)
    if heavy:
        catalogue.resolve(HEAVY)
    uid = request.jail(place).uid
    seen = Path(request.scratch, place, "home", ".cache", "models")
    seen.parent.mkdir(parents=True, exist_ok=True)
    seen.symlink_to(models)
    if uid is not None:
        os.chown(seen.parent, uid, uid)
    return (models,)
