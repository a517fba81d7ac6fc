"""Notices at a door: signed, for this door, newer; shown in turn; ended for good."""

from __future__ import annotations

from datetime import timedelta

import pytest

from edge.broker.settings import BrokerSettings
from edge.errors import StoreError, SyncError
from edge.runtime.clock import ManualClock
from edge.service.property.notices import HeldNotices
from edge.store.key_source import finish_renewal
from edge.sync.notices import NoticeFollower
from edge.wire.messages import Message
from edge.wire.notices import MAX_BYTES, PURPOSE, DoorNotice, NoticeSet
from tests.sync.hubside import KEYS, SIGNER, STRANGER, MemoryJournal

SETTINGS = BrokerSettings("127.0.0.1", "door-1")
HEAD = (120, "ab" * 32)


class Door:
    def __init__(self, path):
        self.clock, self.trust, self.path = ManualClock(), "synced", path
        self.journal = MemoryJournal()
        self.restart()

    def restart(self):
        self.held = HeldNotices(self.path, "door-1", self.clock, lambda: self.trust)
        self.clerk = NoticeFollower(SETTINGS, KEYS, self.held, self.journal.append, self.clock)

    def get(self, payload):
        self.clerk.handle(Message(SETTINGS.topic("notice"), payload, retained=True))

    def line(self, name="1", level="info", begins=0, hours=24, zh="停水"):
        begin = self.clock.now() + timedelta(hours=begins)
        return DoorNotice(
            name, level, begin, begin + timedelta(hours=hours), {"zh": zh, "en": f"line {name}"}
        )

    def tell(self, rev, *items, device="door-1", signer=SIGNER, purpose=PURPOSE):
        self.get(signer.sign(NoticeSet(device, rev, items, HEAD).encode(), purpose))

    def shown(self):
        return [one["en"] for one in self.held.shown()]


@pytest.fixture
def door(tmp_path):
    return Door(tmp_path / "notices.json")


def test_a_signed_set_is_shown_and_the_books_head_is_journaled(door):
    door.tell(3, door.line())
    assert door.held.shown() == [{"zh": "停水", "en": "line 1"}]
    (draft,) = door.journal.drafts
    assert str(draft.kind) == "notice.set"
    assert draft.data == {"rev": 3, "count": 1, "entry": 120, "hash": "ab" * 32}
    door.tell(3, door.line())
    assert len(door.journal.drafts) == 1, "the same one is no news"
    door.restart()
    assert door.shown() == ["line 1"]


@pytest.mark.parametrize(
    ("more", "why"),
    [
        ({"signer": STRANGER}, "signature"),
        ({"purpose": "config"}, "signature"),
        ({"device": "door-2"}, "not for this door"),
        ({"rev": 2}, "older"),
    ],
)
def test_what_is_not_ours_or_old_is_refused_with_one_event(door, more, why):
    door.tell(3, door.line("1"))
    rev = more.pop("rev", 4)
    for _ in range(3):
        door.tell(rev, door.line("2"), **more)
    assert door.shown() == ["line 1"]
    assert [str(draft.kind) for draft in door.journal.drafts] == ["notice.set", "notice.refused"]
    assert why in door.journal.drafts[-1].data["detail"]


@pytest.mark.parametrize("payload", [b"", b"{}", b"[" * 1000, b"x" * (2 * MAX_BYTES + 1)])
def test_nonsense_changes_nothing(door, payload):
    door.tell(3, door.line())
    door.get(payload)
    assert door.shown() == ["line 1"]


def test_nine_lines_or_long_ones_are_none():
    clock = ManualClock()
    far = clock.now() + timedelta(days=1)
    for count, text in ((9, "x"), (1, "字" * 121), (1, "two\nlines")):
        items = tuple(
            DoorNotice(str(n), "info", clock.now(), far, {"zh": text, "en": ""}) for n in range(count)
        )
        with pytest.raises(SyncError):
            NoticeSet.parse(NoticeSet("door-1", 1, items).encode())


def test_lines_begin_and_end_by_themselves_and_what_has_ended_stays_ended(door):
    door.tell(3, door.line("1"), door.line("2", begins=2, hours=48))
    assert door.shown() == ["line 1"]
    door.clock.advance(3 * 3600)
    assert door.shown() == ["line 1", "line 2"]
    door.clock.advance(23 * 3600)
    assert door.shown() == ["line 2"]
    door.clock.step_wall(-10 * 86_400)
    door.restart()
    door.trust = "unknown"
    assert door.shown() == ["line 2"], "the clock fell back; what was over stays over"


def test_in_an_emergency_nothing_else_is_shown(door):
    door.tell(3, door.line("1"), door.line("2", "emergency"))
    assert door.shown() == ["line 2"]
    door.tell(4)
    assert door.shown() == []


def test_a_set_that_was_edited_on_the_card_is_not_shown_and_comes_again(door):
    door.tell(3, door.line())
    finish_renewal(door.path.parent)
    door.tell(4, door.line())
    door.restart()
    assert door.shown() == ["line 1"]
    door.path.write_bytes(door.path.read_bytes().replace(b"line 1", b"line 7"))
    door.restart()
    assert door.shown() == []
    door.path.write_bytes(door.path.read_bytes().partition(b"\n")[0])
    door.restart()
    assert door.shown() == []
    door.tell(4, door.line())
    door.restart()
    assert door.shown() == ["line 1"]


def test_a_file_that_cannot_be_read_is_no_notice_and_comes_again(door):
    door.tell(3, door.line())
    door.path.write_bytes(b"\0" * 100)
    door.restart()
    assert door.shown() == []
    door.tell(3, door.line())
    assert door.shown() == ["line 1"]


def unreadable(path):
    """Put something in a file's place that no read gets through; return what puts the file back."""
    content = path.read_bytes()
    path.unlink()
    path.mkdir()

    def back():
        path.rmdir()
        path.write_bytes(content)

    return back


def test_a_file_that_the_card_does_not_give_at_the_start_is_shown_once_it_does(door, caplog):
    """Nothing was shown until the property was reached, which may be days."""
    door.tell(3, door.line())
    back = unreadable(door.path)
    door.restart()
    for _ in range(60):
        door.clock.advance(1)
        assert door.shown() == []
    assert len([line for line in caplog.messages if "cannot be read" in line]) <= 2
    back()
    door.clock.advance(5)
    assert door.shown() == ["line 1"]


def test_what_the_property_sends_meanwhile_counts_and_what_is_played_back_does_not(door):
    door.tell(3, door.line())
    back = unreadable(door.path)
    door.restart()
    back()
    door.clock.advance(5)
    door.tell(2, door.line("2"))
    assert door.shown() == ["line 1"]
    door.restart()
    door.tell(4, door.line("4"))
    door.clock.advance(60)
    assert door.shown() == ["line 4"]


class FullCard:
    """Keeps nothing while it is full."""

    def __init__(self) -> None:
        self.is_full, self.kept = True, 0

    def take(self, notices: NoticeSet) -> bool:
        if self.is_full:
            raise StoreError("no space left")
        self.kept = notices.rev
        return True


def test_notices_that_a_full_card_did_not_take_are_taken_once_it_does(door):
    card = FullCard()
    door.clerk = NoticeFollower(SETTINGS, KEYS, card, door.journal.append, door.clock)
    door.tell(4, door.line())
    door.tell(3, door.line())  # played back meanwhile
    door.clerk.idle()
    card.is_full = False
    door.clerk.idle()
    door.clerk.idle()
    assert card.kept == 4
    assert [str(draft.kind) for draft in door.journal.drafts] == ["notice.refused", "notice.set"]
