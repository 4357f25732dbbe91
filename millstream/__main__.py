"""`python -m millstream`: the command line."""

import sys

from millstream.handlers.cli.main import main

sys.exit(main())
