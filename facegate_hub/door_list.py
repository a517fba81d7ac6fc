"""The doors of a site and its hub, as the database knows them now."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING

import sqlalchemy as sa

from edge.wire.names import HUB
from facegate_hub.database import reading
from facegate_hub.door_view import DoorView, HubView, door_view
from facegate_hub.tables import DEVICES, DOORS, HUBS

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sqlalchemy.engine import Engine

    from edge.domain import RosterState

SHOWN = ("id", "avail", "epoch", "rev", "seen_at", "problem", "problem_at", "shut_out", "unproven", "state")


def list_doors(engine: Engine, roster: RosterState, provisioned: Iterable[str]) -> list[DoorView]:
    """Return every door that was ever heard, and those `provisioned` that never were, by id."""
    with reading(engine) as connection:
        rows = connection.execute(sa.select(*(DEVICES.c[name] for name in SHOWN))).all()
        called = {row.id: row for row in connection.execute(sa.select(DOORS))}
    heard = [door_view(row, roster, time.time()) for row in rows]
    missing = set(provisioned) - {door.id for door in heard}
    never = [DoorView(name, None, roster.rev, None, None) for name in missing]
    doors = [
        replace(door, name=called[door.id].name, place=called[door.id].place) if door.id in called else door
        for door in (*heard, *never)
    ]
    return sorted(doors, key=lambda door: door.id)


def hub_view(engine: Engine) -> HubView | None:
    """Return how the hub that serves the doors was last; None when none ever ran on this database."""
    with reading(engine) as connection:
        row = connection.execute(sa.select(HUBS).where(HUBS.c.name == HUB)).first()
    return None if row is None else HubView(time.time() - row.heard_at, row.problem)
