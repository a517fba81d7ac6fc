"""The journal answers in time: a commit that hangs is told as failed, and never stored twice."""

import threading

import pytest

from edge.aside import simulated
from edge.errors import JournalUnavailable, StoreError
from edge.service.prompt_journal import PromptJournal
from tests.fakes.deadlines import Deadlines
from tests.store.drafts import draft, open_journal
from tests.waiting import PATIENCE


class HangingJournal:
    """A real journal whose commits wait while `hangs` is set; tells what it was given."""

    def __init__(self, journal):
        self.journal, self.well = journal, threading.Event()
        self.well.set()
        self.given = []

    def append(self, event):
        self.given.append(event.data["n"])
        self.well.wait(PATIENCE)
        return self.journal.append(event)

    def disown(self, event):
        self.journal.disown(event)

    def close(self):
        self.journal.close()


@pytest.fixture
def slow(tmp_path):
    """A journal that can be made to hang."""
    journal = HangingJournal(open_journal(tmp_path / "journal.db"))
    yield journal
    journal.well.set()
    journal.close()


def kinds(slow):
    return [(event.kind, event.data.get("n")) for event in slow.journal.read()]


def hang(slow, prompt, *numbers):
    """Append while the disk hangs, then let it answer and wait until it has."""
    slow.well.clear()
    for number in numbers:
        with pytest.raises(JournalUnavailable):
            prompt.append(draft(number))
    slow.well.set()
    prompt._aside.hand_over(lambda: None).wait(PATIENCE)


@pytest.fixture
def prompt(slow):
    with simulated(Deadlines(slow.well)):
        yield PromptJournal(lambda: slow)


def test_an_event_that_waits_is_stored_once_when_the_card_answers(slow, prompt):
    prompt.append(draft(1))
    hang(slow, prompt, 2, 3, 4)
    assert slow.given == [1, 2], "while one commit hangs no other is begun"
    assert [prompt.append(draft(number)).seq for number in (2, 3, 4)] == [2, 3, 4]
    assert kinds(slow) == [("access.granted", number) for number in (1, 2, 3, 4)]


def test_an_event_that_was_given_up_and_stored_all_the_same_is_corrected(slow, prompt):
    hang(slow, prompt, 1)
    prompt.append(draft(2))
    assert kinds(slow) == [("access.granted", 1), ("access.granted", 2), ("journal.late", None)]
    assert slow.journal.last().data == {"entry": 1, "kind": "access.granted"}


def test_a_journal_that_cannot_be_opened_is_tried_again_at_each_event(slow):
    answers = [StoreError("no"), StoreError("not yet"), slow]

    def opened():
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    prompt = PromptJournal(opened)
    for _ in range(2):
        with pytest.raises(JournalUnavailable):
            prompt.append(draft(1))
    assert prompt.append(draft(1)).seq == 1
    prompt.close()
