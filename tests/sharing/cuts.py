"""A door killed before every write of an arrival and of a withdrawal: `python -m tests.sharing.cuts`."""

from __future__ import annotations

import contextlib
import tempfile
from dataclasses import replace
from pathlib import Path

from tests.sharing.rig import SharingRig, opened

WRITES = {
    "record_all", "end_for_good", "withdraw", "keep_receipt", "complete_receipt",
    "put_faces", "writing", "hold", "drop", "expect", "answered", "keep_peer", "keep_note",
    "destroy_receiving_keys", "add_receiving_key", "forget_reach", "record", "commit",
}  # fmt: skip


class Killed(BaseException):
    """The power went."""


class Fuse:
    """Lets `left` writes happen; the one after them is the end."""

    def __init__(self, left):
        self.left = left
        self.writes = 0

    def burn(self):
        if self.writes == self.left:
            raise Killed
        self.writes += 1


class Cut:
    """A store whose writes burn a fuse first."""

    def __init__(self, inner, fuse):
        self._inner, self._fuse = inner, fuse

    def __getattr__(self, name):
        found = getattr(self._inner, name)
        if name not in WRITES:
            return found

        def write(*given, **more):
            self._fuse.burn()
            return found(*given, **more)

        return write


def fused(rig, left):
    """Have the door die at a write."""
    fuse = Fuse(left)
    ties = rig.ties
    rig.ties = replace(
        ties,
        store=Cut(ties.store, fuse),
        consents=Cut(ties.consents, fuse),
        book=Cut(ties.book, fuse),
        events=Cut(ties.events, fuse),
    )
    rig.begin()
    rig.desk = type(rig.desk)(rig.ties)
    return fuse


def again(site, name):
    """Start the door anew on what its folder holds."""
    old = site.doors[name]
    old.close()
    new = SharingRig(old.folder, name, site.authority, site.clock, events=old.events)
    site.doors[name] = new
    new.exchange.take_doors(site.list_doors())
    new.exchange.connected()


def arrival_cut(folder, left):
    """Kill the receiving door before write `left` of an arrival; return whether it got that far."""
    with opened(folder, "front", "back") as site:
        site.put("anna")
        site.doors["front"].enrol("anna", "back")
        return _played(site, "back", left, lambda: site.settle(5), {"front", "back"})


def withdrawal_cut(folder, left, name):
    """Kill a door before write `left` of a withdrawal that is given there, or at the other door."""
    with opened(folder, "front", "back") as site:
        site.put("anna")
        site.doors["front"].enrol("anna", "back")
        site.settle(5)
        assert site.knowing("anna") == {"front", "back"}

        def withdraw():
            site.doors["back"].withdraw("anna")
            site.settle(5)

        done = _played(site, name, left, withdraw, None)
        if done and not site.doors["back"].ledger.ended():
            return True  # killed before anything was written down: nothing was withdrawn
        site.settle(45)
        assert site.knowing("anna") == set(), (left, name)
        assert not any(door.templates_on_disk() for door in site.doors.values()), (left, name)
        return done


def _played(site, name, left, act, known):
    fuse = fused(site.doors[name], left)
    with contextlib.suppress(Killed):
        act()
    is_cut = fuse.writes == left
    again(site, name)
    if known is not None:
        site.settle(45)
        assert site.knowing("anna") == known, left
    return is_cut


def main():
    for what in (
        arrival_cut,
        lambda folder, left: withdrawal_cut(folder, left, "back"),
        lambda folder, left: withdrawal_cut(folder, left, "front"),
    ):
        left = 0
        with tempfile.TemporaryDirectory() as folder:
            while what(Path(folder) / str(left), left):
                left += 1
        print(f"{left} cuts")  # noqa: T201


if __name__ == "__main__":
    main()
