"""A clock without a battery: what it may be believed, and that nobody gets under the floor."""

from __future__ import annotations

import os
import threading
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from edge.aside import simulated
from edge.runtime.clock import ManualClock
from edge.runtime.clock_trust import CHECKPOINT_SECONDS, ClockTrust, TrustedTime
from edge.runtime.kept_time import KeptTime, OwnTime, read_kept, write_kept
from edge.runtime.machine_time import system_is_synchronised
from tests.fakes.deadlines import Deadlines
from tests.waiting import wait_until

if TYPE_CHECKING:
    from pathlib import Path

NOON = datetime(2026, 5, 1, 12, 0, tzinfo=UTC)


class Board:
    """A board over several boots: the floor file stays, the clock starts where it is told."""

    def __init__(self, folder: Path) -> None:
        self.file = folder / "trusted-time"
        self.is_synced = False
        self.has_rtc = False
        self._boots = 0

    def boot(self, now: datetime) -> tuple[ManualClock, TrustedTime]:
        """Switch the board on: its clock says `now`."""
        self._boots += 1
        clock = ManualClock(now)
        return clock, self.start(clock)

    def start(self, clock: ManualClock) -> TrustedTime:
        """Start the service, again on a board that goes on."""
        boot = f"run-{self._boots}"
        return TrustedTime(clock, self.file, lambda: self.is_synced, has_rtc=self.has_rtc, boot=boot)


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
    time.checkpoint()
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
    assert time.floor is None
    assert board.file.read_text().startswith("unknown\n")


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
    assert board.file.read_text().splitlines()[0] == NOON.isoformat()


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


def proved(board: Board, at: datetime) -> None:
    """Leave the floor that a door leaves which ran for days with the right time."""
    write_kept(board.file, KeptTime(at, held_seconds=7 * 86400.0, is_vouched=True))


def run(clock: ManualClock, time: TrustedTime, seconds: float, step: float = 60.0) -> None:
    for _ in range(int(seconds / step)):
        clock.advance(step)
        time.checkpoint()


DAY = timedelta(days=1)


@pytest.mark.parametrize("ahead", [2 * DAY, 300 * DAY, 399 * DAY, 401 * DAY, 26_000 * DAY])
def test_a_leap_ahead_is_not_certain_at_once_and_one_too_far_never(board: Board, ahead: timedelta) -> None:
    proved(board, NOON)
    board.is_synced = True
    clock, time = board.boot(NOON + ahead)
    run(clock, time, 3600.0)
    assert time.certain is not None
    assert time.certain < NOON + timedelta(hours=2)
    run(clock, time, 8 * 86400.0, 3600.0)
    assert (time.certain > NOON + ahead) == (ahead < 400 * DAY)


def test_one_wrong_boot_leaves_no_trace(board: Board) -> None:
    proved(board, NOON - DAY)
    board.is_synced = True
    clock, time = board.boot(NOON.replace(year=2030))
    assert time.trust() is ClockTrust.UNKNOWN
    run(clock, time, 3600.0)
    for days in (0, 30):
        clock, time = board.boot(NOON + days * DAY)
        time.checkpoint()
        assert time.trust() is ClockTrust.SYNCED
        assert time.floor is not None
        assert time.floor <= clock.now()


def test_a_wrong_answer_that_is_corrected_is_forgotten_within_an_hour(board: Board) -> None:
    proved(board, NOON)
    board.is_synced = True
    clock, time = board.boot(NOON + 300 * DAY)
    run(clock, time, 3600.0)
    clock.step_wall(-299.5 * 86400)
    time.checkpoint()
    first, second = time.moments
    assert first != second, "one answer against the other"
    run(clock, time, 3700.0)
    assert time.moments == (clock.now(),)
    assert time.is_vouched
    run(clock, time, 3 * 3600.0)
    assert time.leap is None
    assert time.certain == clock.now()


def test_nights_without_power_are_made_up_for(board: Board) -> None:
    proved(board, NOON)
    board.is_synced = True
    for night in range(1, 10):
        clock, time = board.boot(NOON + night * DAY)
        run(clock, time, 12 * 3600.0)
        assert time.certain == clock.now()


def test_a_leap_is_proved_over_several_starts(board: Board) -> None:
    proved(board, NOON)
    board.is_synced = True
    now = NOON + 60 * DAY
    for _ in range(4):
        clock, time = board.boot(now)
        run(clock, time, 2 * 86400.0, 3600.0)
        now = clock.now() + timedelta(hours=1)
    assert time.certain == clock.now()


def test_a_clock_that_is_never_set_lets_the_floor_go_on_by_itself(board: Board) -> None:
    proved(board, NOON)
    clock, time = board.boot(datetime(1970, 1, 1, tzinfo=UTC))
    run(clock, time, 10 * 86400.0, 3600.0)
    assert time.certain is not None
    assert NOON + 10 * DAY - timedelta(minutes=5) < time.certain <= NOON + 10 * DAY


def test_the_first_answer_a_new_board_gets_may_be_corrected(board: Board) -> None:
    board.is_synced = True
    clock, time = board.boot(NOON.replace(year=2030))
    run(clock, time, 3600.0)
    assert time.certain is None, "one answer is nothing to erase by"
    clock, time = board.boot(NOON)
    run(clock, time, 2 * 86400.0)
    assert time.trust() is ClockTrust.SYNCED
    assert time.certain == clock.now()


def test_a_person_or_the_property_puts_the_floor_right_either_way(board: Board) -> None:
    proved(board, NOON.replace(year=2030))
    board.is_synced = True
    _, time = board.boot(NOON)
    time.checkpoint()
    assert time.trust() is ClockTrust.UNKNOWN
    time.confirm()
    assert time.trust() is ClockTrust.SYNCED
    assert time.certain == NOON
    assert read_kept(board.file).floor == NOON


def test_a_word_given_beside_the_running_door_is_taken(board: Board) -> None:
    proved(board, NOON.replace(year=2030))
    board.is_synced = True
    clock, time = board.boot(NOON)
    run(clock, time, 600.0)
    ran = time.ran_seconds
    proved(board, clock.now())
    time.checkpoint()
    assert time.certain == clock.now()
    assert time.ran_seconds == ran


def test_running_time_adds_up_over_starts_and_needs_no_clock(board: Board) -> None:
    for n in range(3):
        clock, time = board.boot(datetime(1970, 1, 1, tzinfo=UTC))
        assert n * 5400.0 <= time.ran_seconds <= n * 6000.0
        run(clock, time, 6000.0)
    assert time.floor is None


def ran(time: TrustedTime, clock: ManualClock, hours: float) -> None:
    """Let the door run for so long."""
    for _ in range(40):
        clock.advance(hours * 90)
        time.checkpoint()


@pytest.mark.parametrize("minutes", [24, 30 * 60])
def test_a_clock_that_was_wrong_for_a_day_and_is_right_again_is_believed_at_once(
    board: Board, minutes: float
) -> None:
    board.is_synced = True
    clock, time = board.boot(NOON)
    ran(time, clock, 48)
    clock.step_wall(minutes * 60)
    ran(time, clock, 26)
    clock.step_wall(-minutes * 60)
    time.checkpoint()
    assert time.trust() is ClockTrust.SYNCED
    assert time.is_vouched


def test_a_jump_can_be_taken_back_after_a_new_start_too(board: Board) -> None:
    board.is_synced = True
    clock, time = board.boot(NOON)
    ran(time, clock, 48)
    clock.step_wall(3 * 3600)
    time.checkpoint()
    clock, time = board.boot(clock.now())
    ran(time, clock, 5)
    clock.advance(CHECKPOINT_SECONDS)
    time.checkpoint()
    clock, time = board.boot(clock.now() - timedelta(hours=3) + timedelta(minutes=5))
    time.checkpoint()
    assert time.trust() is ClockTrust.SYNCED


def test_the_time_that_a_board_was_off_counts_for_both_lines(board: Board) -> None:
    board.is_synced = True
    clock, time = board.boot(NOON)
    ran(time, clock, 48)
    clock.step_wall(24 * 60)
    ran(time, clock, 5)
    clock, time = board.boot(clock.now() + timedelta(days=9))
    ran(time, clock, 48)
    clock.step_wall(-24 * 60)
    time.checkpoint()
    assert time.trust() is ClockTrust.SYNCED


def test_a_clock_that_is_right_after_a_time_without_power_is_believed_at_once(board: Board) -> None:
    board.is_synced = True
    clock, time = board.boot(NOON)
    ran(time, clock, 48)
    clock.step_wall(30 * 3600)
    ran(time, clock, 26)
    true = clock.now() - timedelta(hours=30)
    clock, time = board.boot(true + timedelta(hours=14))
    time.checkpoint()
    assert time.trust() is ClockTrust.SYNCED
    assert time.is_vouched


def test_the_first_answer_of_all_is_taken_back_within_an_hour(board: Board) -> None:
    board.is_synced = True
    clock, time = board.boot(NOON + timedelta(hours=3))
    ran(time, clock, 2)
    clock.step_wall(-3 * 3600)
    time.checkpoint()
    assert time.trust() is ClockTrust.UNKNOWN
    ran(time, clock, 1.1)
    assert time.trust() is ClockTrust.SYNCED


def test_a_jump_of_a_clock_that_was_behind_can_be_taken_back_too(board: Board) -> None:
    board.is_synced = True
    clock, time = board.boot(NOON)
    ran(time, clock, 48)
    clock, time = board.boot(clock.now() - timedelta(minutes=24))
    ran(time, clock, 1)
    clock.step_wall(30 * 3600)
    ran(time, clock, 26)
    clock.step_wall(24 * 60 - 30 * 3600)
    time.checkpoint()
    assert time.trust() is ClockTrust.SYNCED


def test_who_turns_the_clock_back_without_a_time_service_is_not_believed(board: Board) -> None:
    synced_until(board, NOON)
    board.has_rtc = True
    clock, time = board.boot(NOON + timedelta(hours=26))
    ran(time, clock, 1.5)
    clock.step_wall(-3 * 3600)
    ran(time, clock, 26)
    assert not time.is_vouched
    assert time.moments == (clock.now(), clock.now() + timedelta(hours=3))


def test_nobody_gets_under_the_line_of_the_doors_own_running(board: Board) -> None:
    board.is_synced = True
    clock, time = board.boot(NOON)
    ran(time, clock, 48)
    clock.step_wall(30 * 3600)
    ran(time, clock, 26)
    clock.step_wall(-40 * 3600)
    ran(time, clock, 26)
    assert time.trust() is ClockTrust.UNKNOWN


def test_a_jump_that_nobody_took_back_for_a_quarter_stays(board: Board) -> None:
    board.is_synced = True
    clock, time = board.boot(NOON)
    ran(time, clock, 48)
    clock.step_wall(24 * 60)
    ran(time, clock, 100 * 24)
    clock.step_wall(-24 * 60)
    ran(time, clock, 1)
    assert time.trust() is ClockTrust.UNKNOWN


def test_a_board_that_was_off_left_no_line_to_go_back_to(board: Board) -> None:
    synced_until(board, NOON)
    board.is_synced = True
    clock, time = board.boot(NOON + timedelta(days=2))
    ran(time, clock, 24)
    clock.step_wall(-47 * 3600)
    ran(time, clock, 1)
    assert time.trust() is ClockTrust.UNKNOWN


def steady_days(board: Board) -> tuple[ManualClock, TrustedTime]:
    """Return a door whose clock the network set, and which ran for two days."""
    board.is_synced = True
    clock, time = board.boot(NOON)
    ran(time, clock, 48)
    return clock, time


@pytest.mark.parametrize("is_synced", [True, False])
@pytest.mark.parametrize("hours", [3, -3, 30, 90 * 24])
def test_no_running_proves_a_clock_that_left_the_doors_own_count(
    board: Board, hours: float, is_synced: bool
) -> None:
    clock, time = steady_days(board)
    board.is_synced = is_synced
    clock.step_wall(hours * 3600)
    ran(time, clock, 100 * 24)
    true = clock.now() - timedelta(hours=hours)
    assert not time.is_vouched
    assert time.certain is not None
    assert time.certain <= true
    assert time.moments == (clock.now(), true)
    assert time.trust() is ClockTrust.UNKNOWN
    assert time.disputed_by == timedelta(hours=hours)


@pytest.mark.parametrize("hours", [3, 30, 90 * 24])
def test_a_new_start_of_the_service_settles_no_dispute(board: Board, hours: float) -> None:
    clock, time = steady_days(board)
    clock.step_wall(hours * 3600)
    time.checkpoint()
    time = board.start(clock)
    ran(time, clock, 26)
    assert not time.is_vouched
    assert time.moments == (clock.now(), clock.now() - timedelta(hours=hours))


def test_a_clock_that_was_set_while_the_service_was_stopped_is_disputed_too(board: Board) -> None:
    clock, _ = steady_days(board)
    clock.advance(5 * 3600)
    clock.step_wall(30 * 3600)
    time = board.start(clock)
    time.checkpoint()
    assert time.moments == (clock.now(), clock.now() - timedelta(hours=30))
    assert not time.is_vouched


def test_a_dispute_outlasts_a_power_cut_as_long_as_the_clock_goes_on(board: Board) -> None:
    board.has_rtc = True
    clock, time = steady_days(board)
    clock.step_wall(90 * 86400)
    time.checkpoint()
    clock, time = board.boot(clock.now() + timedelta(days=9))
    ran(time, clock, 14 * 24)
    assert time.moments == (clock.now(),), "people are judged by it: nobody knows how long it was dark"
    assert not time.is_vouched
    assert time.certain is not None
    assert time.certain < NOON + 20 * DAY


def test_a_dispute_ends_when_the_clock_comes_back(board: Board) -> None:
    clock, time = steady_days(board)
    clock.step_wall(90 * 86400)
    ran(time, clock, 14 * 24)
    clock.step_wall(-90 * 86400)
    time.checkpoint()
    assert time.moments == (clock.now(),)
    assert time.is_vouched
    assert time.disputed_by is None
    assert time.certain == clock.now()


def test_the_network_corrects_a_battery_at_once_either_way(board: Board) -> None:
    for hours in (3, -3):
        board.is_synced, board.has_rtc = False, True
        proved(board, NOON - DAY)
        clock, time = board.boot(NOON)
        ran(time, clock, 0.5)
        board.is_synced = True
        clock.step_wall(hours * 3600)
        for _ in range(2):
            time.checkpoint()
        assert time.moments == (clock.now(),)
        assert time.is_vouched


def test_nobody_stands_behind_a_battery_until_somebody_says_so(board: Board) -> None:
    board.has_rtc = True
    clock, time = board.boot(NOON)
    ran(time, clock, 9 * 24)
    assert time.moments == (clock.now(),)
    assert time.is_unconfirmed
    assert (time.is_vouched, time.certain) == (False, None)
    time.confirm()
    assert time.is_vouched
    assert time.certain == clock.now()
    clock, time = board.boot(clock.now() + timedelta(hours=12))
    ran(time, clock, 2)
    assert time.is_vouched, "the battery carries the word over a night"
    assert time.certain == clock.now()


def test_a_battery_that_tells_of_months_without_power_needs_a_word_again(board: Board) -> None:
    board.has_rtc = True
    proved(board, NOON)
    clock, time = board.boot(NOON + 90 * DAY)
    ran(time, clock, 14 * 24)
    assert time.moments == (clock.now(),)
    assert time.is_unconfirmed
    assert time.certain is None
    assert time.floor is not None
    assert time.floor < NOON + 15 * DAY


def test_a_persons_word_counts_on_a_board_without_battery_until_the_power_goes(board: Board) -> None:
    clock, time = board.boot(NOON)
    time.checkpoint()
    assert time.moments == ()
    write_kept(
        board.file, KeptTime().confirmed(clock.now(), OwnTime(clock.now(), clock.monotonic(), "run-1"))
    )
    ran(time, clock, 2)
    assert time.is_vouched
    clock, time = board.boot(NOON)
    time.checkpoint()
    assert time.moments == ()


def test_what_the_card_does_not_give_at_the_start_is_not_written_over(board: Board) -> None:
    proved(board, NOON)
    hidden = board.file.rename(board.file.with_name("hidden"))
    board.file.mkdir()  # cannot be read as a file
    board.is_synced = True
    clock, time = board.boot(NOON - 90 * DAY)
    time.checkpoint()
    board.file.rmdir()
    hidden.rename(board.file)
    clock.advance(1.0)
    time.checkpoint()
    assert time.trust() is ClockTrust.UNKNOWN
    assert time.floor is not None
    assert time.floor >= NOON


@pytest.mark.parametrize("is_damaged", [True, False])
def test_what_becomes_of_the_file_while_the_door_runs_takes_nothing_from_what_it_knows(
    board: Board, is_damaged: bool
) -> None:
    """Half a minute of a failing card left the door without a time: schedules and validity were over."""
    proved(board, NOON)
    clock, time = board.boot(NOON)
    time.checkpoint()
    board.file.unlink()
    time.checkpoint()
    if is_damaged:
        board.file.write_bytes(b"\xff\x00" * 40)
    else:
        board.file.mkdir()  # cannot be read as a file
    clock.advance(1.0)
    time.checkpoint()
    assert time.trust() is ClockTrust.RESTORED
    assert time.floor is not None
    assert time.floor >= NOON
    if not is_damaged:
        board.file.rmdir()
    run(clock, time, CHECKPOINT_SECONDS + 120.0)
    kept = read_kept(board.file)
    assert kept.floor is not None
    assert kept.floor >= NOON
    assert kept.is_vouched


def knows(time: TrustedTime) -> bool:
    return time.floor is not None


def knows_a_second_later(clock: ManualClock, time: TrustedTime) -> bool:
    clock.advance(1.0)
    time.checkpoint()
    return knows(time)


def test_a_start_does_not_wait_for_a_card_that_hangs_and_what_it_gives_later_counts(board: Board) -> None:
    proved(board, NOON)
    text = board.file.read_text()
    board.file.unlink()
    os.mkfifo(board.file)
    is_well = threading.Event()
    with simulated(Deadlines(is_well)):
        clock, time = board.boot(NOON - 90 * DAY)
        for _ in range(3):
            clock.advance(CHECKPOINT_SECONDS)
            time.checkpoint()
        assert not knows(time)
        is_well.set()
        board.file.write_text(text)  # lets go of whoever waits at the pipe
        board.file.unlink()
        board.file.write_text(text)
        wait_until(lambda: knows_a_second_later(clock, time))
    assert time.floor is not None
    assert time.floor >= NOON


def test_a_card_that_never_gives_it_is_written_anew(board: Board) -> None:
    board.file.mkdir()
    board.is_synced = True
    clock, time = board.boot(NOON)
    time.checkpoint()
    board.file.rmdir()
    board.file.with_name("elsewhere").touch()
    run(clock, time, CHECKPOINT_SECONDS + 120.0)
    assert read_kept(board.file).floor is not None


@pytest.mark.parametrize("is_stopped", [True, False])
def test_a_small_jump_is_taken_back_however_it_came(board: Board, is_stopped: bool) -> None:
    clock, time = steady_days(board)
    if is_stopped:
        clock.step_wall(24 * 60)
        time = board.start(clock)
    else:
        clock.step_wall(90 * 86400)
        time.checkpoint()
        clock.step_wall(24 * 60 - 90 * 86400)
    ran(time, clock, 50)
    clock.step_wall(-24 * 60)
    time.checkpoint()
    assert time.moments == (clock.now(),)
    assert time.is_vouched
