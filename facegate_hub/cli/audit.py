"""`facegate hub audit`: who asked for what."""

from __future__ import annotations

from contextlib import closing
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click

from edge.errors import SyncError
from edge.runtime.json_lines import json_line
from edge.wire.shapes import printable
from facegate_hub.cli.options import json_option, last_option
from facegate_hub.staff import Staff

if TYPE_CHECKING:
    from pathlib import Path


@click.command()
@last_option(20)
@json_option
@click.pass_obj
def audit(place: tuple[Path, str], last: int, as_json: bool) -> None:
    """Show who asked for what: commands, people, settings, exports; exit code 1 when the chain is broken.

    Example: facegate hub audit --last 100
    """
    with closing(Staff(*place)) as desk:
        records, broken = desk.audit(last)
    for one in records:
        if as_json:
            click.echo(json_line(one))
            continue
        at = datetime.fromtimestamp(one.at, UTC).isoformat(timespec="seconds")
        # JSON escapes only the control characters below 0x20; the others steer terminals as well.
        click.echo(f"{one.seq:6} {at} {one.by:20} {one.what:12} {printable(one.about)} {one.hash[:16]}")
    if broken is not None:
        raise SyncError(f"the chain is broken at record {broken}: one was changed or taken out")
