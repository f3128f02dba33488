"""What pyproject.toml cannot say: the course's folders travel inside `helpers`, so that an installed wheel is whole."""

import shutil
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py

ROOT = Path(__file__).resolve().parent
PACKED = ("content", "notebooks", "labs", "solutions", "recorded", "deploy")
UNWANTED = shutil.ignore_patterns("__pycache__", ".ipynb_checkpoints", "*.pyc")


class BuildWithCourse(build_py):
    """Copies the course's folders to helpers/packed of what is built; see helpers/config.py for their use."""

    def run(self) -> None:
        """Build the package, then put the folders into it."""
        super().run()
        if self.editable_mode:
            return
        for name in PACKED:
            target = Path(self.build_lib, "helpers", "packed", name)
            shutil.rmtree(target, ignore_errors=True)
            shutil.copytree(ROOT / name, target, ignore=UNWANTED)


setup(cmdclass={"build_py": BuildWithCourse})
