"""What waits in memory outlives the process, once."""

from __future__ import annotations

import threading
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import numpy as np
import pytest

from edge.domain import EventDraft
from edge.errors import JournalUnavailable
from edge.event_log.log import EventLog
from edge.event_log.spool import RESTORED, SPOOL_FILE, Spool, spool_files
from edge.events import Kind
from edge.replay.door import MemoryJournal
from edge.runtime.clock import ManualClock
from edge.service.chores.past import in_journal
from tests.store.drafts import open_journal
from tests.waiting import PATIENCE

if TYPE_CHECKING:
    from collections.abc import Callable

NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)


class Card(MemoryJournal):
    """A journal that stores nothing while it is `bad`."""

    def __init__(self) -> None:
        super().__init__()
        self.is_bad = True

    def append(self, draft):
        if self.is_bad:
            raise JournalUnavailable("disk I/O error")
        return super().append(draft)


def grant(number: int) -> EventDraft:
    at = NOON.replace(minute=number)
    return EventDraft(Kind.ACCESS_GRANTED, at, 10.0 + number, "anna", "granted", {"门": number})


@pytest.fixture
def files(tmp_path):
    folders = tmp_path / "run", tmp_path / "data"
    for folder in folders:
        folder.mkdir()
    return spool_files(folders[1], {"RUNTIME_DIRECTORY": str(folders[0])})


def log_of(card, files):
    return EventLog(card, ManualClock(NOON), spool=Spool(files))


def in_drafts(card):
    """Return what says whether an event is in the journal."""
    return lambda draft: (draft.kind, draft.at) in {(one.kind, one.at) for one in card.drafts}


def killed(card, files, *drafts):
    """Record these on a bad card in a process that ends without a word; wait until copies are made."""
    spool = Spool(files)
    log = EventLog(card, ManualClock(NOON), spool=spool)
    for draft in drafts:
        assert log.record(draft) is None
    spool.take(0.0)


def test_a_killed_process_leaves_its_events_to_the_next(files):
    card = Card()
    killed(card, files, grant(1), grant(2))
    log = log_of(card, files)
    log.restore(lambda _draft: False)
    assert log.unsaved == 2
    card.is_bad = False
    log.record(grant(3))
    assert [draft.at.minute for draft in card.drafts[:2]] == [1, 2]
    assert [draft.data.get(RESTORED) for draft in card.drafts if draft.kind is Kind.ACCESS_GRANTED] == [
        True,
        True,
        None,
    ]
    assert card.drafts[0].data["门"] == 1


def test_a_clean_stop_on_a_bad_card_waits_for_the_copies(files):
    card = Card()
    log = log_of(card, files)
    log.record(grant(1))
    log.close()
    assert all(len(file.read_text().strip().splitlines()) == 1 for file in files)


def test_what_was_stored_after_all_is_not_stored_twice(files):
    card = Card()
    killed(card, files, grant(1), grant(2))
    log = log_of(card, files)
    log.restore(lambda draft: draft.at.minute == 1)
    assert log.unsaved == 1


def test_once_stored_nothing_is_left_behind(files):
    card = Card()
    log = log_of(card, files)
    log.record(grant(1))
    card.is_bad = False
    log.record(grant(2))
    later = log_of(card, files)
    later.restore(in_drafts(card))
    assert later.unsaved == 0


class BusyCard(Card):
    """While it takes what the journal says of itself, somebody else records an event and loses patience."""

    def __init__(self) -> None:
        super().__init__()
        self.meanwhile: Callable[[], object] = lambda: None

    def append(self, draft):
        event = super().append(draft)
        if draft.kind is Kind.HEALTH_JOURNAL:
            other = threading.Thread(target=self.meanwhile, daemon=True)
            other.start()
            other.join(PATIENCE)
        return event


def test_a_copy_that_is_made_while_the_others_are_stored_is_kept(files):
    card, spool = BusyCard(), Spool(files)
    log = EventLog(card, ManualClock(NOON), spool=spool)
    card.meanwhile = lambda: log.record(grant(2))
    log.record(grant(1))
    card.is_bad = False
    log.retry()
    assert (log.unsaved, [one.kind for one in card.drafts]) == (1, [Kind.ACCESS_GRANTED, Kind.HEALTH_JOURNAL])

    spool.flush()
    later = log_of(card, files)
    later.restore(in_drafts(card))
    assert later.unsaved == 1


@pytest.mark.parametrize("gone", [0, 1])
def test_one_of_the_two_places_is_enough(files, gone):
    card = Card()
    killed(card, files, grant(1))
    files[gone].unlink()
    log = log_of(card, files)
    log.restore(lambda _draft: False)
    assert log.unsaved == 1


def test_a_half_written_line_costs_itself_alone(files):
    card = Card()
    killed(card, files, grant(1))
    for file in files:
        with file.open("a") as opened:
            opened.write('{"kind":"access.gra')
    log = log_of(card, files)
    log.restore(lambda _draft: False)
    assert log.unsaved == 1


def test_a_half_written_line_does_not_take_the_next_along(files):
    card = Card()
    for file in files:
        file.write_text('{"kind":"access.gra')
    killed(card, files, grant(1))
    log = log_of(card, files)
    log.restore(lambda _draft: False)
    assert log.unsaved == 1


def test_what_json_does_not_have_keeps_no_event_from_being_recorded(files):
    card = Card()
    data = {"score": np.float32(0.5), "name": "caf\udce9", "row": np.zeros(3), "what": {1, 2}}
    killed(card, files, replace(grant(1), data=data))
    log = log_of(card, files)
    log.restore(lambda _draft: False)
    card.is_bad = False
    log.retry()
    kept = card.drafts[0].data
    assert (kept["score"], kept["name"]) == (0.5, "caf\udce9")
    assert [kept[name].startswith("left out: ") for name in ("row", "what")] == [True, True]


@pytest.mark.parametrize("sign", ["\u2028", "\u2029", "\x85"])
def test_a_text_with_a_line_end_of_its_own_is_one_event(files, sign):
    card = Card()
    killed(card, files, replace(grant(1), data={"note": f"first{sign}second"}))
    log = log_of(card, files)
    log.restore(lambda _draft: False)
    card.is_bad = False
    log.retry()
    assert card.drafts[0].data["note"] == f"first{sign}second"


def test_copies_that_cannot_be_read_now_stay_for_the_next_start(files):
    """After a power cut the card's copy is the only one, and the card may be slow, or fail once."""
    card = Card()
    killed(card, files, grant(1))
    files[0].unlink()
    files[1].rename(files[1].with_name("away"))
    files[1].mkdir()  # reading it fails
    log = log_of(card, files)
    log.restore(in_drafts(card))
    files[1].rmdir()
    files[1].with_name("away").rename(files[1])
    log.record(grant(2))
    card.is_bad = False
    log.record(grant(3))
    log.close()
    later = log_of(card, files)
    later.restore(in_drafts(card))
    assert later.unsaved == 1
    later.retry()
    later.close()  # the copies have gone when it returns
    last = log_of(card, files)
    last.restore(lambda _draft: False)
    assert last.unsaved == 0, "read once, it goes"


@pytest.mark.parametrize("harm", ['"data":null', '"data":[1]', '"at":"2026-01-05"'])
def test_a_line_that_is_no_event_any_more_keeps_no_door_from_starting(files, harm):
    card = Card()
    killed(card, files, grant(1))
    for file in files:
        whole = file.read_text().strip()
        name = harm.partition(":")[0]
        start = whole.index(name)
        end = whole.index("}", start) + 1 if name == '"data"' else whole.index(",", start)
        file.write_text(f"\n{whole}\n\n{whole[:start]}{harm}{whole[end:]}\n")
    log = log_of(card, files)
    log.restore(lambda _draft: False)
    assert log.unsaved == 1


def test_data_of_which_no_copy_can_be_made_costs_the_copy_alone(files):
    card = Card()
    round_and_round: dict[str, object] = {}
    round_and_round["again"] = round_and_round
    told: list[EventDraft] = []
    log = log_of(card, files)
    log.subscribe(told.append)
    for data in ({"by": {(1, 2): 3}}, {"by": {np.int64(1): 3}}, round_and_round):
        assert log.record(replace(grant(1), data=data)) is None
    assert (log.unsaved, len(told)) == (3, 3)


def test_no_place_to_write_is_no_failure(tmp_path):
    card = Card()
    log = log_of(card, (tmp_path / "nowhere" / SPOOL_FILE,))
    log.record(grant(1))
    log.restore(lambda _draft: False)
    assert log.unsaved == 1


def test_the_journal_says_what_it_has(tmp_path):
    path = tmp_path / "journal.db"
    assert not in_journal(path)(grant(1))
    journal = open_journal(path)
    journal.append(grant(1))
    stored = in_journal(path)
    assert stored(grant(1))
    assert not stored(grant(2))
