"""Warnings in the log of a run."""

import logging

from mmengine.logging import print_log


def warn(text: str) -> None:
    """Write a warning to the current log; without one, to the screen."""
    print_log(text, logger='current', level=logging.WARNING)
