"""What one work unit may use."""

from dataclasses import asdict, dataclass
from typing import Any

MEBIBYTE = 1 << 20


@dataclass(frozen=True, slots=True)
class UnitLimits:
    """The bounds of one unit; a breach ends the run and names the bound, and costs only what had not been shown yet.

    Attributes:
        notebook_s, cell_s: wall clock of the notebook, kernel start included, and of one cell.
        exercise_s: for all cases of one exercise, the start of its process included.
        cpu_s: CPU time of each process.
        memory_bytes: resident, all processes of the unit together; looked at several times a second.
        data_bytes: private memory of each process; asking for more fails at once.
        processes: threads count too; a browser has two hundred, an engine with many places a thread for each and more.
        file_bytes, disk_bytes, files: the largest file, all files together, and their number; the heavy variant of the
            course model has 600 MB, where it must be made in the jail.
        tmp_bytes: of the unit's own /tmp.
        output_bytes: all outputs of the notebook together, cut while they stream.
        notebook_bytes: the file that was handed in; stored plots are large.
    """

    notebook_s: float = 1200.0
    cell_s: float = 300.0
    exercise_s: float = 20.0
    cpu_s: int = 2400
    memory_bytes: int = 4096 * MEBIBYTE
    data_bytes: int = 3072 * MEBIBYTE
    processes: int = 2000
    file_bytes: int = 768 * MEBIBYTE
    disk_bytes: int = 1536 * MEBIBYTE
    files: int = 5000
    tmp_bytes: int = 256 * MEBIBYTE
    output_bytes: int = 10_000_000
    notebook_bytes: int = 50_000_000

    def to_json(self) -> dict[str, Any]:
        """JSON-ready; `UnitLimits(**it)` is the inverse."""
        return asdict(self)
