"""Calling the command line in the process of the test, where it may share the one chDB folder."""

import contextlib

from loguru import logger

from millstream.handlers.cli.main import main


def run_main(*arguments, folder):
    """Call `main` in *folder* and return its exit code; logging is as before afterwards."""
    try:
        with contextlib.chdir(folder):
            return main([str(each) for each in arguments])
    finally:
        logger.remove()
        logger.disable("millstream")
