"""`./course test`: the project's own tests, and the groups that need more than the locked environment."""

import argparse
import subprocess
import sys

from helpers.config import ROOT
from helpers.errors import MissingError, UsageError

GROUPS = ("vllm", "browser", "openwebui", "gpu")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument(
        "--with",
        dest="groups",
        metavar="GROUPS",
        default="",
        help=f"comma-separated: {', '.join(GROUPS)}; their tests run too, and a skip among them is a failure",
    )
    parser.add_argument("pytest", nargs="*", metavar="-- PYTEST", help="anything more goes to pytest as it is")


def run(arguments: argparse.Namespace) -> int:
    """Run pytest in the clone; its exit code is ours."""
    groups = [group for group in arguments.groups.split(",") if group]
    unknown = [group for group in groups if group not in GROUPS]
    if unknown:
        raise UsageError(
            f"there is no test group {unknown[0]!r}", f"the groups are {', '.join(GROUPS)}", "./course test"
        )
    if not (ROOT / "tests").is_dir():
        raise MissingError(f"there are no tests in {ROOT}", "this is a learners' hand-out", "./course check 1")
    # Most tests wait for processes they started: two at a time take little more than half as long.
    # tests/conftest.py says which stay together, and puts the long ones first.
    together = ("-n2", "--dist=loadscope", "--no-loadscope-reorder")
    argv = [sys.executable, "-m", "pytest", f"--groups={','.join(groups)}", *together, *arguments.pytest]
    return subprocess.run(argv, cwd=ROOT, check=False).returncode
