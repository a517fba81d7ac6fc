"""`facegate clock`: how far a door believes its clock, and a person's word that it is right."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from edge.cli.data_dir import data_option

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path

    from edge.runtime.kept_time import KeptTime


@click.command()
@click.option("--confirm", is_flag=True, help="Confirm that this machine's time is right.")
@data_option
def clock(data: Path, confirm: bool) -> None:
    """Show this machine's time and how far the door trusts it; with --confirm say that it is right.

    The door counts the time itself and trusts this machine's clock while the two agree. Until network time,
    the property or a person (--confirm) has vouched for the clock, no face is erased, no event removed, and
    no schedule keeps the door unlocked.

    Example: facegate clock
    """
    from datetime import UTC, datetime

    from edge.runtime.kept_time import CLOCK_FILE, read_kept
    from edge.runtime.machine_time import system_is_synchronised

    now = datetime.now(UTC)
    if confirm:
        _confirm(data, now)
    kept = read_kept(data / CLOCK_FILE)
    state = "synchronised" if system_is_synchronised() else "not synchronised since the start"
    click.echo(f"this machine: {now:%Y-%m-%d %H:%M:%S} UTC, {state}")
    for line in _told(kept, now):
        click.echo(line)


def _told(kept: KeptTime, now: datetime) -> list[str]:
    from datetime import timedelta

    from edge.runtime.clock_trust import FARTHEST_LEAP, LEAP

    lines = [f"the door has run: {kept.ran_seconds / 86_400:.1f} days in all"]
    if kept.floor is None:
        return [*lines, "certain: nothing yet; the door learns the time from NTP, an RTC or --confirm"]
    lines.append(f"certain: not before {kept.floor:%Y-%m-%d %H:%M:%S} UTC")
    if kept.is_provisional:
        lines.append("  by one answer only: a later one may correct it during the first day of running")
    if not kept.is_vouched:
        lines.append(
            "  nobody stands behind it, no network time so far: nothing is erased, and no door unlocked by "
            "the hour for everybody; --confirm if this machine's time is right"
        )
    ahead = now - kept.floor
    if kept.disputed is not None:
        lines.append(
            f"the clock said {kept.disputed:%Y-%m-%d %H:%M} UTC against the door's own count: it is "
            "disputed, however long it runs. Set it right, or --confirm if it is"
        )
    if kept.leap is not None:
        left = timedelta(seconds=kept.leap.wanted_seconds - kept.leap.held_seconds)
        lines.append(f"{ahead.days} days later after a time without power: certain after {left} more")
    if ahead > FARTHEST_LEAP:
        lines.append(
            f"more than {FARTHEST_LEAP.days} days ahead is never believed by itself: --confirm if right"
        )
    if ahead < -LEAP:
        lines.append("the clock is before what is certain: set it, or --confirm if it is right")
    return lines


def _confirm(data: Path, now: datetime) -> None:
    import time
    from contextlib import closing

    from edge.cli.door_files import Notes
    from edge.domain import EventDraft
    from edge.errors import StoreError
    from edge.events import Kind
    from edge.runtime.kept_time import CLOCK_FILE, OwnTime, read_kept, write_kept
    from edge.runtime.machine_time import boot_of

    before = read_kept(data / CLOCK_FILE)
    was = None if before.floor is None else before.floor.isoformat()
    mono = time.monotonic()
    with closing(Notes(data)) as note:
        # Before it counts, as on the page: what is not logged is not done.
        note.record(EventDraft(Kind.CLOCK_CONFIRMED, now, mono, data={"was": was}))
    write_kept(data / CLOCK_FILE, before.confirmed(now, OwnTime(now, mono, boot_of())))
    if read_kept(data / CLOCK_FILE).floor != now:
        raise StoreError(f"{data / CLOCK_FILE}: the confirmed time could not be kept; see the line above")
