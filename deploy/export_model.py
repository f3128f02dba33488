"""Write a model of the catalogue as a GGUF file: `python deploy/export_model.py MODEL PRECISION FILE`."""

import shutil
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from helpers.models.catalogue import gguf


def export(model: str, precision: str, file: Path) -> None:
    """Write it in one piece: an engine never finds half a file."""
    part = file.with_suffix(".part")
    shutil.copyfile(gguf(model, precision), part)
    part.rename(file)


if __name__ == "__main__":
    export(sys.argv[1], sys.argv[2], Path(sys.argv[3]))
