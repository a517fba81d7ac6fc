"""Ends a process when the one that started it has ended, even if that one was killed."""

from __future__ import annotations

import os
import signal

import click

from facegate_hub.looking import LookingThread

LOOK_SECONDS = 1.0

attached_option = click.option(
    "--attached", type=int, metavar="PID", help="End with this process, which started it.", hidden=True
)


def is_left_alone(attached: int | None) -> bool:
    """Return whether the process that this one is attached to has ended; None: it is attached to none."""
    # The kernel gives the children of a process that has ended to another parent.
    return attached not in {None, os.getppid()}


class EndsWithParent(LookingThread):
    """Ends this process in good order once its parent has ended."""

    def __init__(self, attached: int | None) -> None:
        self._attached = attached
        super().__init__("attached", LOOK_SECONDS, "whether the parent lives could not be seen")

    def look(self) -> None:
        """Ask this process to end, as systemd does, when its parent has."""
        if is_left_alone(self._attached):
            os.kill(os.getpid(), signal.SIGTERM)
