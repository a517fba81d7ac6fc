"""A keypad unplugged and plugged in again, wires that carry noise: the threads live through it."""

from __future__ import annotations

import logging
import os
import threading

import pytest

from edge.config.settings import LockSection, WiegandSection
from edge.credentials.card import Card
from edge.credentials.device import EV_KEY, EVENT
from edge.errors import ReaderLost
from edge.service.entry.readers import (
    CARD_SECONDS,
    LONGEST_SHOWING_SECONDS,
    NOISE_SECONDS,
    REPEAT_SECONDS,
    STEADY_SECONDS,
    ReaderContext,
    RefusedFrames,
    _Reader,
    key_reader,
    unhurried,
    wiegand_reader,
)
from tests.waiting import PATIENCE


def press(fd: int, code: int) -> None:
    os.write(fd, EVENT.pack(0, 0, EV_KEY, code, 1))


class Site:
    """Surroundings with a clock to move and a history of what was reported."""

    def __init__(self, stopping: threading.Event | None = None) -> None:
        self.now = 100.0
        self.events: list[dict[str, object]] = []
        self.around = ReaderContext(lambda: self.now, self._report, stopping or Impatient())

    @property
    def states(self) -> list[object]:
        return [event["state"] for event in self.events]

    def _report(self, kind: str, data: dict[str, object]) -> None:
        assert kind == "health.reader"
        self.events.append(data)


def test_keys_arrive_again_after_the_keypad_was_away(tmp_path, caplog):
    path, keys, arrived, stopping = tmp_path / "keypad", [], threading.Event(), Impatient()
    site = Site(stopping)

    def take(key: str) -> None:
        keys.append(key)
        arrived.set()

    worker = key_reader("keypad", path, take, site.around)
    with caplog.at_level(logging.ERROR):
        worker.start()
        assert stopping.waited.wait(PATIENCE)  # it is not there yet
        for code, key in ((2, "1"), (3, "2")):
            path.unlink(missing_ok=True)
            os.mkfifo(path)
            far = os.open(path, os.O_RDWR)
            press(far, code)
            assert arrived.wait(PATIENCE)
            arrived.clear()
            assert keys[-1] == key
            path.unlink()
            stopping.waited.clear()
            os.close(far)
            assert stopping.waited.wait(PATIENCE)
    assert worker.stop(10)
    assert worker.failures == 0
    told = [record.getMessage() for record in caplog.records]
    assert len(told) == 1  # it never stayed for long: said once, not every two seconds
    assert "check the cable" in told[0]
    assert site.states == ["lost"]


class Flaky:
    """A source that is lost whenever it is told to be."""

    def __init__(self) -> None:
        self.is_there = False

    def read(self, timeout_seconds: float) -> str | None:
        if not self.is_there:
            raise ReaderLost("reader: gone")
        return None

    def close(self) -> None:
        pass


def test_lost_and_back_are_events_once_each_and_a_flapping_reader_stays_lost():
    site, source = Site(), Flaky()
    reader = _Reader("keypad", lambda: source, print, site.around)
    for is_there in (False, True, False, True):
        source.is_there = is_there
        reader.step()
        site.now += 1
    assert site.events == [{"reader": "keypad", "state": "lost", "why": "reader: gone"}]
    site.now += STEADY_SECONDS
    reader.step()
    reader.step()
    assert site.states == ["lost", "back"]
    source.is_there = False
    reader.step()
    assert site.states == ["lost", "back", "lost"]


class Stuck:
    """A reader that is gone, and cannot be closed either."""

    def read(self, timeout_seconds: float) -> str | None:
        raise ReaderLost("its line is gone")

    def close(self) -> None:
        raise OSError("no such line")


def test_a_reader_that_cannot_be_closed_is_lost_and_opened_anew():
    """Ten failures in a row would end the door, and with it every other way in."""
    site, opened = Site(), []

    def source() -> Stuck:
        opened.append(Stuck())
        return opened[-1]

    reader = _Reader("wiegand", source, print, site.around)
    for _ in range(3):
        reader.step()
    assert (site.states, len(opened)) == (["lost"], 3)


def test_noise_is_told_once_a_minute_with_a_count():
    site = Site()
    noise = RefusedFrames("wiegand", site.around)
    for _ in range(50):
        noise.heard("13 bits")
        site.now += 0.5
    site.now += NOISE_SECONDS
    noise.heard("wrong parity")
    assert [(event["frames"], event["why"]) for event in site.events] == [
        (1, "13 bits"),
        (50, "wrong parity"),
    ]


def test_without_gpio_a_wiegand_reader_is_lost_and_the_rest_goes_on():
    stopping = Impatient()
    site = Site(stopping)
    section = WiegandSection.model_validate({"d0": 5, "d1": 6})
    lock = LockSection.model_validate({"driver": "dry-run", "gpio_chip": 15})
    worker = wiegand_reader(section, lock, {}, print, site.around)
    worker.start()
    assert stopping.waited.wait(PATIENCE)
    assert worker.stop(10)
    assert worker.failures == 0
    assert site.states == ["lost"]


def test_forged_cards_cannot_come_faster_than_hands_could_show_them():
    cards: list[Card]
    stopping, cards = Impatient(), []
    take = unhurried(cards.append, stopping, lambda: 0.0)
    take(Card("w26:1:2"))
    assert cards == [Card("w26:1:2")]
    assert stopping.seconds == [CARD_SECONDS]


@pytest.mark.parametrize("every", [0.1, 0.5, 1.0])
def test_a_card_that_a_reader_sends_again_and_again_is_one_showing(every):
    cards: list[Card] = []
    now = 100.0
    take = unhurried(cards.append, Impatient(), lambda: now)
    while now < 100.0 + LONGEST_SHOWING_SECONDS - 0.01:
        take(Card("w26:1:2"))
        now += every
    assert cards == [Card("w26:1:2")]
    now = 100.0 + LONGEST_SHOWING_SECONDS
    take(Card("w26:1:2"))
    assert cards == [Card("w26:1:2")] * 2, "what refused it may be over by now"
    take(Card("w26:1:3"))
    take(Card("w26:1:2"))
    assert cards[2:] == [Card("w26:1:3"), Card("w26:1:2")], "another card between them ends a showing"


def test_a_card_that_is_held_there_again_is_another_showing():
    cards: list[Card] = []
    now = 100.0
    take = unhurried(cards.append, Impatient(), lambda: now)
    for _ in range(3):
        take(Card("w26:1:2"))
        now += REPEAT_SECONDS
    assert len(cards) == 3


class Impatient(threading.Event):
    """A stop signal whose waits are short, and that says when somebody waited."""

    def __init__(self) -> None:
        super().__init__()
        self.waited = threading.Event()
        self.seconds: list[float | None] = []

    def wait(self, timeout: float | None = None) -> bool:
        self.seconds.append(timeout)
        self.waited.set()
        return super().wait(0.01 if timeout else timeout)
