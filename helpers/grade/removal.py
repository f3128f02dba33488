"""Removing what a submission could write: folders in each other without end, and folders that forbid it."""

import os
import subprocess
from pathlib import Path


def remove_tree(folder: Path) -> None:
    """Remove a folder with all that is in it; what cannot be removed stays.

    `shutil.rmtree` descends by recursion: a thousand folders in each other would end whoever calls it.
    """
    if os.geteuid() != 0:  # root needs no permission
        subprocess.run(["chmod", "-R", "u+rwX", str(folder)], stderr=subprocess.DEVNULL, check=False)
    subprocess.run(["rm", "-rf", str(folder)], stderr=subprocess.DEVNULL, check=False)
