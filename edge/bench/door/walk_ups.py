"""Plays walk-ups to a running door: seconds to the opening, frames a second, CPU and memory.

The door is `facegate run` in a process of its own, on one core, with the settings that are installed; what is
measured comes from its journal and its metrics, as anybody could read them.
"""

from __future__ import annotations

import http.client
import os
import re
import time
from collections import Counter
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from statistics import median
from typing import TYPE_CHECKING, Any

from edge.bench.door.slowed import slowed
from edge.bench.running import START_SECONDS, free_port, running_door
from edge.consent.rules import Statement, consent_from
from edge.domain import Resident
from edge.enrol.templates import templates_under
from edge.events import Kind
from edge.replay.process import memory_mb, private_mb
from edge.store.consents import CONSENTS_FILE, ConsentLedger
from edge.store.reader import JOURNAL_FILE, JournalReader
from edge.store.residents import RESIDENTS_FILE, ResidentStore

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from edge.bench.door.recording import WalkUps
    from edge.bench.running import BenchDoor
    from edge.domain import DoorEvent, Embedding

POLL_SECONDS = 0.05
EVENTS_READ = 1000

CONFIG = """
[door]
id = "bench"
[camera]
source = "{recording}"
[lock]
driver = "dry-run"
[recognition]
liveness = "{liveness}"
[metrics]
listen = "127.0.0.1:{port}"
[storage]
directory = "{folder}/data"
"""


@dataclass(frozen=True, slots=True, eq=False)
class Household:
    """Who lives here: the rows of each resident, all of one network."""

    rows: Mapping[str, Sequence[Embedding]]
    model_id: str


def measure(
    walk_ups: WalkUps, household: Household, liveness: str, times: float, folder: Path
) -> dict[str, Any]:
    """Return what a door on one core, `times` slower than this one, made of the recording.

    `waits_s` has who was let in, with the seconds from being near enough (a face of 90 px) to the stored
    grant. The start is at full speed, the rest at that one. `folder` is for the data.
    """
    enrol_all(household, folder / "data")
    port = free_port()
    settings = CONFIG.format(
        recording=walk_ups.path.resolve(), liveness=liveness, port=port, folder=folder.resolve()
    )
    with running_door(settings, folder) as door:
        os.sched_setaffinity(door.process.pid, {max(os.sched_getaffinity(0))})
        begun = _first_picture(door, port)
        started, frames = door.cpu_seconds(), _frames(port)
        with slowed(door.process.pid, times):
            time.sleep(max(0.0, begun.timestamp() + walk_ups.seconds - time.time()))
        seconds = (datetime.now(UTC) - begun).total_seconds()
        frames = {fate: count - frames.get(fate, 0.0) for fate, count in _frames(port).items()}
        used = door.cpu_seconds() - started
        memory = memory_mb(door.process.pid)[0], private_mb(door.process.pid)
    events = _journal(folder / "data")
    return {
        "liveness": liveness,
        "times_slower": times,
        "residents": len(household.rows),
        "walk_ups": len(walk_ups.near),
        **_openings(walk_ups, events, begun),
        "refusals": dict(Counter(event.reason for event in events if event.kind == Kind.ACCESS_DENIED)),
        "frames_a_second": round(frames.get("taken", 0.0) / seconds, 1),
        "frames_dropped": round(sum(count for fate, count in frames.items() if fate != "taken")),
        "cpu_percent": round(100 * used / seconds, 1),
        "start_cpu_ms": round(1000 * started),
        "rss_mb": memory[0],
        "private_mb": memory[1],
    }


def enrol_all(household: Household, data: Path) -> None:
    """Write the residents into a new door's data folder, with a consent each as the door demands."""
    data.mkdir(parents=True, mode=0o700)
    now = datetime.now(UTC)
    with (
        closing(ResidentStore(data / RESIDENTS_FILE)) as store,
        closing(ConsentLedger(data / CONSENTS_FILE)) as ledger,
    ):
        for who, rows in household.rows.items():
            statement = Statement(who, agrees=True, language="en")
            consent = consent_from(statement, "a benchmark (thrown away)", now, minors_allowed=True)
            ledger.record(consent)
            store.put(Resident(who, who), templates_under(consent, rows, household.model_id, now))


def _openings(walk_ups: WalkUps, events: Sequence[DoorEvent], begun: datetime) -> dict[str, Any]:
    waits: dict[str, float] = {}
    for event in events:
        who = event.resident_id or ""
        if event.kind == Kind.ACCESS_GRANTED and who in walk_ups.near:
            opened = (event.at - begun).total_seconds()
            waits.setdefault(who, round(opened - walk_ups.near[who], 2))
    return {
        "let_in": len(waits),
        "wait_s": round(median(waits.values()), 2) if waits else None,
        "longest_wait_s": max(waits.values(), default=None),
        "waits_s": waits,
    }


def _journal(data: Path) -> list[DoorEvent]:
    with closing(JournalReader(data / JOURNAL_FILE)) as reader:
        return reader.read(limit=EVENTS_READ)


def _first_picture(door: BenchDoor, port: int) -> datetime:
    """Return when the door took its first frame, to about `POLL_SECONDS`."""
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and door.process.poll() is None:
        if _frames(port).get("taken"):
            return datetime.now(UTC)
        time.sleep(POLL_SECONDS)
    raise door.stuck("its first picture")


def _frames(port: int) -> dict[str, float]:
    """Return the door's frames by their fate; none while it serves no metrics yet."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=START_SECONDS)
    try:
        connection.request("GET", "/metrics")
        text = connection.getresponse().read().decode()
    except OSError:
        return {}
    finally:
        connection.close()
    found = re.findall(r'^facegate_frames_total\{fate="(\w+)"\} (\S+)$', text, re.MULTILINE)
    return {fate: float(count) for fate, count in found}
