"""`python -m helpers.models.training OUT`: trains the course model again."""

import argparse
import sys
from pathlib import Path

from helpers.errors import CourseError
from helpers.models.training import rebuild


def main() -> int:
    """Reads the output directory, trains, and gives the exit code."""
    parser = argparse.ArgumentParser(prog="python -m helpers.models.training", description=__doc__)
    parser.add_argument("out", type=Path, help="directory for the new model")
    parser.add_argument(
        "--new-tokenizer", action="store_true", help="train a tokenizer first, in place of the shipped one"
    )
    arguments = parser.parse_args()
    try:
        rebuild(arguments.out, arguments.new_tokenizer)
    except CourseError as error:
        sys.stderr.write(f"{error}\n")
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
