"""`python -m helpers COMMAND` is `./course COMMAND`."""

import sys

from helpers.cli import main

sys.exit(main())
