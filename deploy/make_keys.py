"""Make a key for each named client and leave it in /keys/NAME/key, readable in the container that mounts it.

    python deploy/make_keys.py NAME ... [--folder /keys]

A client that has its file keeps it. The gateway's database is the default one, in COURSE_CACHE.
"""

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from helpers.api.database import Database
from helpers.errors import CourseError


def make_keys(folder: Path, names: list[str]) -> list[str]:
    """Make the keys that are missing; return their names.

    Raises:
        UsageError: the key exists, but its file is gone: a key's text is kept nowhere else.
    """
    made = []
    database = Database("")
    try:
        for name in names:
            file = folder / name / "key"
            if not file.is_file():
                file.parent.mkdir(parents=True, exist_ok=True)
                # The file comes in one piece, so that a stop in between leaves none that is empty.
                part = file.with_suffix(".part")
                part.write_text(database.add_key(name), encoding="ascii")
                part.chmod(0o444)
                part.rename(file)
                made.append(name)
    finally:
        database.close()
    return made


def main() -> int:
    """Make them and say so."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="+", metavar="NAME")
    parser.add_argument("--folder", type=Path, default=Path("/keys"))
    arguments = parser.parse_args()
    try:
        made = make_keys(arguments.folder, arguments.names)
    except CourseError as error:
        sys.stderr.write(f"{error}\n")
        return error.exit_code
    sys.stdout.write(f"made {len(made)} of {len(arguments.names)} keys\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
