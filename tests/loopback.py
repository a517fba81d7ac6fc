"""Ports of the loopback for servers that a test starts: never the same for two workers of one run."""

from __future__ import annotations

import itertools
import os
import random
import socket

FIRST, LAST = 12_000, 32_000
"""Below the kernel's own range, from which every outgoing connection takes one."""
STEP = 2
"""The port after each is kept free too: a TPM in software wants it for its control channel."""


def span(worker: str, workers: int) -> range:
    """Return the ports of one worker of pytest-xdist ("gw3"), or of a run without workers ("")."""
    width = (LAST - FIRST) // max(workers, 1) // STEP * STEP
    start = FIRST + width * int(worker.removeprefix("gw") or 0)
    return range(start, start + width, STEP)


def _ports() -> itertools.cycle[int]:
    worker = os.environ.get("PYTEST_XDIST_WORKER", "")
    mine = span(worker, int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1")))
    begin = random.SystemRandom().randrange(len(mine))  # another run on this machine begins elsewhere
    return itertools.cycle([*mine[begin:], *mine[:begin]])


PORTS = _ports()


def free_port() -> int:
    """Return a port that nobody listens at and that this run has not given out lately."""
    return next(port for port in PORTS if _is_free(port) and _is_free(port + 1))


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
