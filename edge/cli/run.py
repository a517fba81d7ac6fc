"""`facegate run`: the service."""

from __future__ import annotations

import logging
import os
import signal
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from edge.state_folder import state_folder

if TYPE_CHECKING:
    from collections.abc import Callable

DEFAULT_CONFIG = Path("/etc/facegate/config.toml")


F = TypeVar("F", bound="Callable[..., Any]")


def config_option(command: F) -> F:
    """Add `--config FILE`; the command gets a `config: Path`."""
    return click.option(
        "--config",
        type=click.Path(dir_okay=False, path_type=Path),
        default=DEFAULT_CONFIG,
        show_default=True,
        help="Settings (TOML).",
    )(command)


@click.command()
@config_option
@click.option("--verbose", is_flag=True, help="Log more.")
def run(config: Path, verbose: bool) -> None:
    """Run the door until it is told to stop (SIGTERM, SIGHUP); the relay is then at rest.

    Example: facegate run --config /etc/facegate/config.toml
    """
    from edge.runtime.imports import importing

    with importing():
        from edge.config import load_settings
        from edge.runtime.log_limit import set_up_log
        from edge.runtime.memory import keep_one_heap
        from edge.runtime.stop_signals import stop_on_signals
        from edge.scratch import memory_folder
        from edge.service.checked import require_startable
        from edge.service.door import DoorService

    keep_one_heap()
    # For uploads to the page, too, and for a card that turns read-only only later on.
    tempfile.tempdir = memory_folder() or tempfile.tempdir
    set_up_log(logging.DEBUG if verbose else logging.INFO)
    settings = load_settings(config)
    require_startable(settings, forgiven=str)  # the door says it; whom it let in yesterday it lets in today
    data = settings.storage.directory or state_folder()
    service = DoorService(settings, data, os.environ)
    # A hang-up is no reason to leave without a word: the terminal went, or somebody meant "reload".
    stop_on_signals(service.stopping, signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
    sys.exit(service.run())
