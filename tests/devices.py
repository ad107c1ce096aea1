"""Devices that stand for a state of the machine."""

from __future__ import annotations

import os

from twisted.trial.unittest import SkipTest


def full_device() -> str:
    """A file on a disk without space left; skips the test where there is no such device."""
    if not os.path.exists("/dev/full"):
        raise SkipTest("there is no /dev/full: a full disk cannot be had here")
    return "/dev/full"
