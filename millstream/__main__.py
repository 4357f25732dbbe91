"""`python -m millstream`: the command line."""

import sys

from millstream.handlers.cli import main

sys.exit(main())
