"""What the property wants of its doors' settings: kept by revision, shown to each door, compared."""

from __future__ import annotations

import hashlib
import json
import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, TypeAlias

import sqlalchemy as sa

from edge.errors import SyncError
from edge.wire.configuration import DESIRED, PURPOSE, Desired, Reported
from edge.wire.messages import parse_shaped
from edge.wire.names import ROOT, device_of
from facegate_hub.clerk import HubClerk, is_door
from facegate_hub.database import one_at_a_time, put, reading
from facegate_hub.door_wishes import DoorWishes
from facegate_hub.tables import CONFIGS

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from sqlalchemy.engine import Connection, Engine

    from edge.wire.messages import Message
    from facegate_hub.signer.asking import ApproveWish, Signs

    Value: TypeAlias = str | int | float

LOG = logging.getLogger(__name__)
LOOK_SECONDS = 0.5


@dataclass(frozen=True, slots=True)
class ConfigView:
    """One door's settings: `rev` and `wanted` as asked for, and what the door says (None: nothing yet).

    `reported_at` is UTC in ISO form.
    """

    device: str
    rev: int
    wanted: Mapping[str, Value]
    reported: Reported | None
    reported_at: str | None


class Configurations(DoorWishes):
    """The settings wished for at a site's doors."""

    table, word = CONFIGS, Reported

    def change(
        self,
        device: str,
        values: Mapping[str, Value],
        reset: Iterable[str] = (),
        approve: ApproveWish | None = None,
    ) -> int:
        """Want these values beside what was wanted before, without those in `reset`; return the revision.

        `approve` is asked before anything is stored; what it raises leaves everything as it was.

        Raises `SyncError` for what is no setting, or no value; the door knows which may be changed.
        """
        if not is_door(device):
            raise SyncError(f"door {device[:64]!r}: there can be no such door")
        with self._engine.begin() as connection:
            one_at_a_time(connection, self.table)  # else two could make one revision, and the door has either
            old = _view(connection, device)
            wanted = {**old.wanted, **values}
            for key in reset:
                wanted.pop(key, None)
            rev = old.rev + 1
            if old.reported is not None and old.reported.rev >= rev:
                # This database was lost or is an older one. What the door says may be anything, and is
                # not signed: the time is above every revision that was counted one by one.
                rev = max(rev, int(self._now()))
            body = Desired(device, rev, wanted).encode()
            parse_shaped(DESIRED, body, "config")
            if approve is not None:
                approve((device, rev, hashlib.sha256(body).hexdigest()))
            put(connection, CONFIGS, {"device": device, "rev": rev, "wanted": json.dumps(wanted)})
        return rev

    def view(self, device: str) -> ConfigView:
        """Return what is wanted of a door and what it says."""
        with reading(self._engine) as connection:
            return _view(connection, device)

    def wishes(self) -> dict[str, tuple[int, str]]:
        """Return (revision, SHA-256 of what is signed) of each door for which anything is wanted."""
        return {
            device: (rev, hashlib.sha256(self.body(device)).hexdigest())
            for device, rev in self.revisions().items()
        }

    def body(self, device: str) -> bytes:
        """Return what is signed of a door's newest revision."""
        view = self.view(device)
        return Desired(device, view.rev, view.wanted).encode()


class Wishes(Protocol):
    """What is wanted of doors, by revision, and what they say."""

    def revisions(self) -> dict[str, int]:
        """Return the newest revision of each door that has one."""

    def body(self, device: str) -> bytes:
        """Return what is signed of it."""

    def note(self, device: str, payload: bytes) -> None:
        """Keep what a door says. Raises `SyncError` for what it cannot have said."""


class ConfigurationServer(HubClerk):
    """Leaves each door's signed wishes at the broker and keeps what doors say. Has a thread of its own.

    `folder` is that of the topics, `purpose` that of the signature.
    """

    def __init__(
        self, engine: Engine, signer: Signs, wishes: Wishes, folder: str = "cfg", purpose: str = PURPOSE
    ) -> None:
        super().__init__(engine, f"hub-{purpose}", (f"{ROOT}/+/{folder}/reported",), LOOK_SECONDS)
        self._wishes = wishes
        self._folder, self._purpose = folder, purpose
        self._signer = signer
        self._shown: dict[str, int] = {}

    def begin_again(self) -> None:
        """Show everything again: a broker may have lost it."""
        self._shown = {}

    def handle(self, message: Message) -> None:
        """Keep one door's word."""
        device = device_of(message.topic)
        try:
            self._wishes.note(device, message.payload)
        except SyncError as error:
            LOG.warning("%s: %s", device, error)

    def idle(self) -> None:
        """Show every door what is new."""
        super().idle()
        for device, rev in self._wishes.revisions().items():
            if self.room and self._shown.get(device) != rev and self._show(device):
                self._shown[device] = rev

    def _show(self, device: str) -> bool:
        """Leave a door's wishes at the broker; False when the signer does not sign them: others go on."""
        try:
            payload = self._signer.sign(self._wishes.body(device), self._purpose)
        except SyncError as error:
            if self.is_worth_a_line():
                LOG.error("%s: %s: %s", device, self._purpose, error)  # noqa: TRY400 - no fault of ours
            return False
        self.send(f"{ROOT}/{device}/{self._folder}/desired", payload, retain=True)
        return True


def _view(connection: Connection, device: str) -> ConfigView:
    row = connection.execute(sa.select(CONFIGS).where(CONFIGS.c.device == device)).first()
    if row is None:
        return ConfigView(device, 0, {}, None, None)
    reported = Reported.parse(row.reported.encode()) if row.reported else None
    wanted = json.loads(row.wanted) if row.wanted else {}
    return ConfigView(device, row.rev or 0, wanted, reported, row.reported_at)
