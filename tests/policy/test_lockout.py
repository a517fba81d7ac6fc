from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.domain import Reason
from edge.policy.attempts import READERS, Attempts, reader_of
from edge.policy.ceiling import FEW, MOST_OF_ONE, MOST_OF_READER
from edge.policy.lockout import FAILURES, FORGET_SECONDS, PAUSE_SECONDS, WITH_PAD, Lockout, LockoutRule


class Watch:
    """Monotonic seconds that move when told."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def failing(times: int, lockout: Lockout | None = None, start: float = 0.0) -> Lockout:
    lockout = lockout or Lockout()
    for n in range(times):
        lockout.fail("face", start + n)
    return lockout


def test_four_failures_are_free_and_the_fifth_begins_a_pause():
    assert failing(4).refuse("face", 4.0) is None
    lockout = failing(5)
    assert lockout.refuse("face", 4.0) is Reason.LOCKOUT_MAX_ATTEMPTS
    assert lockout.seconds_left("face", 5.0) == PAUSE_SECONDS - 1
    assert lockout.refuse("face", 4.0 + PAUSE_SECONDS) is None
    assert lockout.refuse("pin", 4.0) is None


def test_with_attack_detection_ten_are_free():
    assert failing(9, Lockout(WITH_PAD)).refuse("face", 9.0) is None
    assert failing(10, Lockout(WITH_PAD)).refuse("face", 9.0) is Reason.LOCKOUT_MAX_ATTEMPTS


def test_after_a_pause_each_further_try_waits_again():
    lockout = failing(5)
    lockout.fail("face", 40.0)
    assert lockout.refuse("face", 41.0) is Reason.LOCKOUT_MAX_ATTEMPTS
    assert lockout.refuse("face", 70.0) is None


def test_failures_during_a_pause_do_not_prolong_it_but_count_for_the_alarm():
    lockout = failing(5)
    assert not any(lockout.fail("face", 5.0 + n / 10) for n in range(44))
    assert lockout.fail("face", 20.0)
    assert lockout.refuse("face", 34.0) is None


def test_a_success_ends_the_run():
    lockout = failing(5)
    lockout.clear("face")
    assert lockout.refuse("face", 5.0) is None


def test_visitors_spread_over_the_day_are_no_attack():
    lockout = Lockout()
    for n in range(200):
        lockout.fail("face", n * FORGET_SECONDS / 4)
        assert lockout.refuse("face", n * FORGET_SECONDS / 4) is None


def test_switching_off_is_for_sites_that_choose_it_and_ends_with_a_success():
    lockout = failing(50, Lockout(LockoutRule(switch_off=True)))
    assert lockout.refuse("face", 1e6) is Reason.CREDENTIAL_LOCKOUT
    lockout.clear("face")
    assert lockout.refuse("face", 1e6) is None
    assert failing(500).refuse("face", 1e6) is None


@settings(deadline=None)
@given(
    strangers=st.lists(st.floats(0.01, 40.0), min_size=5, max_size=300),
    arrival=st.floats(0.0, 600.0),
    every=st.floats(0.1, 5.0),
)
def test_strangers_never_delay_a_resident_by_more_than_one_pause(strangers, arrival, every):
    """Strangers fail at any times they like; a resident asks again and again from `arrival` on."""
    lockout, now, fails = Lockout(), 0.0, []
    for gap in strangers:
        now += gap
        fails.append(now)
    asked = arrival
    while True:
        while fails and fails[0] <= asked:
            lockout.fail("face", fails.pop(0))
        if lockout.refuse("face", asked, proven="anna") is None:
            break
        asked += every
    assert asked - arrival <= PAUSE_SECONDS + every


@given(st.lists(st.floats(0.0, 60.0), max_size=400))
def test_an_attacker_gets_no_more_tries_than_the_rule_allows(gaps):
    """Tries that were not refused, in any stretch of time, stay within 5 free ones and one per pause."""
    lockout, now, tries = Lockout(), 0.0, []
    for gap in gaps:
        now += gap
        if lockout.refuse("face", now) is None:
            tries.append(now)
            lockout.fail("face", now)
    for first in range(len(tries)):
        for last in range(first, len(tries)):
            free = 5 + (tries[last] - tries[first]) / PAUSE_SECONDS
            assert last - first + 1 <= free + 1


class TestAttempts:
    def attempts(self, rule: LockoutRule | None = None):
        watch, alarms = Watch(), []
        return (
            Attempts(rule or LockoutRule(), watch, lambda kind, data: alarms.append((kind, data))),
            watch,
            alarms,
        )

    def test_a_wrong_pin_counts_for_the_keypad_and_for_its_owner(self):
        attempts, watch, _ = self.attempts()
        for _ in range(5):
            attempts.note(Reason.INCORRECT_AUTHENTICATION_FACTOR, "pin", "anna")
        answer = attempts.refuse("pin", "anna")
        assert (answer.reason, str(answer.rule)) == (
            Reason.LOCKOUT_MAX_ATTEMPTS,
            "too many failures: pin, 30 s left",
        )
        assert attempts.refuse("card") is None
        watch.now = 30.0
        assert attempts.refuse("pin", "anna") is None

    def test_strangers_can_never_switch_a_reader_off(self):
        attempts, watch, alarms = self.attempts(LockoutRule(switch_off=True))
        for n in range(500):
            watch.now = n * 31.0
            attempts.note(Reason.UNKNOWN_CREDENTIAL, "card")
        watch.now += 31.0
        assert attempts.refuse("card", "anna", is_proven=True) is None
        assert [data["subject"] for _, data in alarms] == ["card"] * 11, "once more for the day's share"

    def test_passers_by_are_no_tries_at_the_camera_whoever_comes(self):
        attempts, _, alarms = self.attempts()
        for _ in range(500):
            assert not attempts.note(Reason.UNKNOWN_CREDENTIAL, "face")
        assert attempts.refuse("face", "anna", is_proven=True) is None
        assert attempts.seconds_left("face", "anna") == 0.0
        assert not alarms

    def test_attacks_at_the_camera_are_alarmed_about_and_pause_nobody(self):
        attempts, _, alarms = self.attempts()
        for _ in range(50):
            attempts.note(Reason.PRESENTATION_ATTACK, "face", "anna")
        assert [data["subject"] for _, data in alarms] == ["face", "face anna"]
        assert attempts.refuse("face", "anna", is_proven=True) is None
        assert attempts.refuse("face", "bela", is_proven=True) is None

    def test_whoever_proves_who_they_are_ends_the_run_of_attacks_in_their_name(self):
        attempts, _, alarms = self.attempts()
        for way_in in ("face", "pin"):
            for _ in range(49):
                attempts.note(Reason.PRESENTATION_ATTACK, "face", "anna")
            attempts.forgive(way_in, "anna")
        assert not alarms

    def test_a_person_is_switched_off_where_the_site_wants_it_until_another_way_in_worked(self):
        attempts, watch, _ = self.attempts(LockoutRule(switch_off=True))
        for n in range(50):
            watch.now = n * 31.0
            attempts.note(Reason.PRESENTATION_ATTACK, "face", "anna")
        watch.now += 31.0
        answer = attempts.refuse("face", "anna", is_proven=True)
        assert (answer.reason, str(answer.rule)) == (
            Reason.CREDENTIAL_LOCKOUT,
            "too many failures: face anna",
        )
        attempts.forgive("pin", "anna")
        assert attempts.refuse("face", "anna", is_proven=True) is None

    def test_the_pauses_of_reader_and_person_run_together(self):
        attempts, watch, _ = self.attempts(LockoutRule(pause_after=1))
        for _ in range(2):
            attempts.note(Reason.INCORRECT_AUTHENTICATION_FACTOR, "pin", "anna")
        assert attempts.refuse("pin", "anna", is_proven=True)
        watch.now = 29.0
        attempts.note(Reason.INCORRECT_AUTHENTICATION_FACTOR, "pin", "anna")
        watch.now = 30.0
        attempts.note(Reason.INCORRECT_AUTHENTICATION_FACTOR, "pin", "anna")
        assert attempts.refuse("pin", "anna", is_proven=True) is None

    @pytest.mark.parametrize("reason", [r for r in Reason if r not in FAILURES])
    def test_being_far_away_or_out_of_hours_is_no_failure(self, reason):
        attempts, _, alarms = self.attempts(LockoutRule(pause_after=1, alarm_after=1))
        assert not attempts.note(reason, "face", "anna")
        assert attempts.refuse("face", "anna") is None
        assert not alarms

    def test_a_face_with_a_pin_counts_at_the_camera(self):
        assert reader_of("face+pin") == "face"
        assert all(reader_of(reader) == reader for reader in READERS)


DAY = 86_400.0


class TestCeilings:
    def attempts(self):
        watch, alarms = Watch(), []
        return Attempts(WITH_PAD, watch, lambda kind, data: alarms.append(data)), watch, alarms

    def test_guessing_at_a_flat_ends_at_a_day_s_share_and_begins_anew_the_next_day(self):
        attempts, watch, alarms = self.attempts()
        looked = 0
        for second in range(int(DAY)):
            watch.now = float(second)
            if attempts.refuse("pin", "101") is None:
                looked += 1
                attempts.note(Reason.INCORRECT_AUTHENTICATION_FACTOR, "pin", "101")
        assert looked == MOST_OF_ONE
        assert 1 - (1 - 8 / 1e6) ** looked < 0.0002
        assert attempts.refuse("pin", "101").reason is Reason.SECOND_FACTOR_REQUIRED
        assert [data["in_24_h"] for data in alarms if "in_24_h" in data] == [MOST_OF_ONE]
        watch.now += DAY
        assert attempts.refuse("pin", "101") is None

    def test_a_success_gives_no_more_guesses(self):
        attempts, watch, _ = self.attempts()
        for n in range(MOST_OF_ONE):
            watch.now = n * 100.0
            attempts.note(Reason.INCORRECT_AUTHENTICATION_FACTOR, "pin", "101")
            attempts.forgive("pin", "101")
        assert attempts.refuse("pin", "101").reason is Reason.SECOND_FACTOR_REQUIRED

    @pytest.mark.parametrize("number", ["999", "102", None])
    def test_strangers_at_other_numbers_keep_nobody_out(self, number):
        attempts, watch, _ = self.attempts()
        heard = 0
        for second in range(7200):
            watch.now = float(second)
            if second % 31 == 0 and attempts.refuse("pin", number) is None:
                attempts.note(Reason.INCORRECT_AUTHENTICATION_FACTOR, "pin", number)
            heard += attempts.refuse("pin", "101") is None
        assert heard == 7200

    def test_all_numbers_together_have_a_ceiling(self):
        attempts, watch, _ = self.attempts()
        looked = 0
        for second in range(0, int(DAY), 2):
            watch.now = float(second)
            number = str(second // 2 % 300)
            if attempts.refuse("pin", number) is None:
                looked += 1
                attempts.note(Reason.INCORRECT_AUTHENTICATION_FACTOR, "pin", number)
        assert looked <= MOST_OF_READER + FEW * 300

    def test_unknown_cards_end_at_a_day_s_share(self):
        attempts, watch, _ = self.attempts()
        looked = 0
        for second in range(int(DAY)):
            watch.now = float(second)
            if attempts.refuse("card") is None:
                looked += 1
                attempts.note(Reason.UNKNOWN_CREDENTIAL, "card")
        assert looked == MOST_OF_READER

    def test_faces_and_passes_have_none(self):
        attempts, watch, _ = self.attempts()
        for reader in ("face", "pass"):
            for n in range(500):
                watch.now = n * 1000.0
                attempts.note(Reason.UNKNOWN_CREDENTIAL, reader)
            watch.now += 1000.0
            assert attempts.refuse(reader) is None
