"""A clock without a battery: what it may be believed, and that nobody gets under the floor."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from edge.runtime.clock import ManualClock
from edge.runtime.clock_trust import CHECKPOINT_SECONDS, ClockTrust, TrustedTime, system_is_synchronised

if TYPE_CHECKING:
    from pathlib import Path

NOON = datetime(2026, 5, 1, 12, 0, tzinfo=UTC)


class Board:
    """A board over several boots: the floor file stays, the clock starts where it is told."""

    def __init__(self, folder: Path) -> None:
        self.file = folder / "trusted-time"
        self.is_synced = False
        self.has_rtc = False

    def boot(self, now: datetime) -> tuple[ManualClock, TrustedTime]:
        clock = ManualClock(now)
        return clock, TrustedTime(clock, self.file, lambda: self.is_synced, has_rtc=self.has_rtc)


@pytest.fixture
def board(tmp_path: Path) -> Board:
    return Board(tmp_path)


def synced_until(board: Board, now: datetime) -> None:
    board.is_synced = True
    board.boot(now)[1].checkpoint()
    board.is_synced = False


def test_a_new_board_knows_nothing_until_ntp_answers(board: Board) -> None:
    _, time = board.boot(NOON)
    assert time.trust() is ClockTrust.UNKNOWN
    board.is_synced = True
    assert time.trust() is ClockTrust.SYNCED


def test_once_set_it_stays_set_while_the_network_is_away(board: Board) -> None:
    board.is_synced = True
    clock, time = board.boot(NOON)
    assert time.trust() is ClockTrust.SYNCED
    board.is_synced = False
    clock.advance(7 * 86400)
    assert time.trust() is ClockTrust.SYNCED


def test_after_a_power_cut_the_saved_time_is_restored(board: Board) -> None:
    synced_until(board, NOON)
    _, time = board.boot(NOON + timedelta(seconds=5))
    assert time.trust() is ClockTrust.RESTORED


@pytest.mark.parametrize("is_synced", [False, True])
def test_a_clock_before_the_floor_is_not_believed(board: Board, is_synced: bool) -> None:
    synced_until(board, NOON)
    board.is_synced = is_synced
    _, time = board.boot(datetime(1970, 1, 1, tzinfo=UTC))
    assert time.trust() is ClockTrust.UNKNOWN
    assert time.now() == NOON


def test_a_rollback_cannot_revive_an_expired_resident(board: Board) -> None:
    synced_until(board, NOON)
    clock, time = board.boot(NOON)
    clock.step_wall(-30 * 86400)
    assert time.now() >= NOON


def test_a_small_step_back_is_a_correction(board: Board) -> None:
    synced_until(board, NOON)
    board.is_synced = True
    _, time = board.boot(NOON - timedelta(seconds=20))
    assert time.trust() is ClockTrust.SYNCED
    assert time.now() == NOON


def test_an_untrusted_time_never_raises_the_floor(board: Board) -> None:
    _, time = board.boot(datetime(2099, 1, 1, tzinfo=UTC))
    time.checkpoint()
    assert not board.file.exists()


def test_a_battery_keeps_the_time_of_a_door_that_never_hears_of_ntp(board: Board) -> None:
    board.has_rtc = True
    _, time = board.boot(NOON)
    assert time.trust() is ClockTrust.RESTORED
    time.checkpoint()
    _, later = board.boot(NOON + timedelta(days=30))
    assert later.trust() is ClockTrust.RESTORED


def test_a_dead_battery_is_noticed_and_revives_nobody(board: Board) -> None:
    board.has_rtc = True
    board.boot(NOON)[1].checkpoint()
    _, time = board.boot(datetime(2000, 1, 1, tzinfo=UTC))
    assert time.trust() is ClockTrust.UNKNOWN
    time.checkpoint()
    assert time.now() == time.floor == NOON


def test_the_card_is_written_to_seldom(board: Board) -> None:
    board.is_synced = True
    clock, time = board.boot(NOON)
    written = []
    for _ in range(1300):
        time.checkpoint()
        written.append(board.file.read_text())
        clock.advance(1.0)
    assert len(set(written)) == 3
    assert written[-1].startswith((NOON + timedelta(seconds=2 * CHECKPOINT_SECONDS)).isoformat())


@pytest.mark.parametrize("content", ["", "yesterday", "2026-05-01T12:00:00+99:99", "\x00" * 40])
def test_a_damaged_floor_is_replaced(board: Board, content: str) -> None:
    board.file.write_text(content)
    board.is_synced = True
    _, time = board.boot(NOON)
    time.checkpoint()
    assert board.file.read_text().strip() == NOON.isoformat()


def test_a_floor_without_a_zone_is_utc(board: Board) -> None:
    board.file.write_text("2026-05-01T12:00:00")
    _, time = board.boot(datetime(2026, 1, 1, tzinfo=UTC))
    assert time.now() == NOON


def test_a_full_disk_does_not_stop_the_door(board: Board, tmp_path: Path) -> None:
    board.file = tmp_path / "missing" / "trusted-time"
    board.is_synced = True
    _, time = board.boot(NOON)
    time.checkpoint()
    assert time.trust() is ClockTrust.SYNCED


def test_systemds_flag_says_synchronised(tmp_path: Path) -> None:
    flag = tmp_path / "run/systemd/timesync/synchronized"
    flag.parent.mkdir(parents=True)
    flag.touch()
    assert system_is_synchronised(tmp_path)


def test_the_real_machine_can_be_asked() -> None:
    assert system_is_synchronised() in {True, False}
