"""What counts at once, what needs a new start, and when a door does not start anew."""

from contextlib import ExitStack

import pytest

from edge.errors import ConfigError
from edge.policy.modes import Mode, ModeState
from edge.service.hardware import DoorHardware
from edge.service.property.configuration import Configuration
from edge.service.property.reload import OWED_START_SECONDS, Reloader
from edge.store.retention import Retention
from edge.wire.configuration import Desired
from tests.service.test_door_access import RULES, Site
from tests.test_controller import grant


class Place:
    """A door's access and hardware with its reloader; `restarts` counts the orders to stop."""

    def __init__(self, folder, stack, is_supervised=True, configuration=None):
        self.site, self.restarts = Site(folder, stack), 0
        if configuration is not None:
            (folder / "configuration.json").write_text(configuration)
        self.configuration = Configuration(self.site.settings, folder / "configuration.json")
        self.hardware = DoorHardware(self.site.settings, self.site.clock, lambda draft: None, {})
        stack.callback(self.hardware.close)
        retention = Retention(folder / "journal.db")
        self.reloader = Reloader(
            self.configuration,
            self.site.rules,
            self.hardware,
            retention,
            self.site.clock,
            self._restart if is_supervised else None,
        )
        self.configuration.subscribe(self.reloader.apply)

    def _restart(self):
        self.restarts += 1

    def wish(self, rev, **values):
        named = {key.replace("__", "."): value for key, value in values.items()}
        self.configuration.take(Desired("north", rev, named))

    def rules(self, text):
        (self.site.folder / "rules.toml").write_text(text)

    def opens_for(self, resident):
        return [outcome.decision.verdict for outcome in self.site.sees(grant(resident))]

    def wait(self):
        self.site.clock.advance(2.0)
        self.reloader.tick()


@pytest.fixture
def begin(tmp_path):
    with ExitStack() as stack:
        yield lambda **more: Place(tmp_path, stack, **more)


def test_a_wished_opening_time_counts_for_the_next_person(begin):
    place = begin()
    place.wish(1, lock__unlock_seconds=7, lock__extended_unlock_seconds=11)
    place.site.sees(grant("bert"))
    place.site.sees(grant("carl"))
    assert [line for line in place.site.wire.history if line.startswith("unlock")] == [
        "unlock 11",
        "unlock 7",
    ]


def test_rules_are_read_again_on_order_only(begin):
    place = begin()
    place.rules(RULES + '[disabled]\nbert = "moved_out"\n')
    assert place.site.rules.policy.authorise("bert", place.site.clock.now(), "face").allowed
    assert place.reloader.reload().text == "access rules read again"
    assert not place.site.rules.policy.authorise("bert", place.site.clock.now(), "face").allowed
    place.wait()
    assert place.restarts == 0


def test_a_mistake_in_the_rules_changes_nothing(begin):
    place = begin()
    place.rules("[levels.resident]\nschedule = 'never-heard-of'\n")
    with pytest.raises(ConfigError, match="never-heard-of"):
        place.reloader.reload()
    assert place.site.rules.policy.authorise("bert", place.site.clock.now(), "face").allowed


def test_what_is_built_at_the_start_starts_the_door_anew_once_the_answer_has_left(begin):
    place = begin()
    place.wish(1, recognition__fpir=1e-4)
    outcome = place.reloader.reload()
    assert (outcome.status, outcome.data) == ("done", {"restart": True})
    assert "recognition.fpir" in outcome.text
    place.reloader.tick()
    assert place.restarts == 0
    place.wait()
    assert place.restarts == 1


def test_settings_that_the_last_start_missed_start_the_door_anew_by_themselves(begin):
    """The property saw them as waiting, and somebody let in by the looser ones stayed so for months."""
    place = begin(configuration="{")
    place.wish(1, recognition__fpir=1e-4)
    place.wait()
    assert place.restarts == 0
    place.site.clock.advance(OWED_START_SECONDS)
    place.wait()
    place.wait()
    assert place.restarts == 1


def test_settings_that_no_start_missed_wait_for_an_order(begin):
    place = begin()
    place.wish(1, recognition__fpir=1e-4)
    place.site.clock.advance(OWED_START_SECONDS)
    place.wait()
    place.wait()
    assert place.restarts == 0


def test_whoever_is_on_the_way_in_gets_in_first(begin):
    place = begin()
    place.wish(1, recognition__fpir=1e-4)
    place.hardware.door.unlock(10)
    place.reloader.reload()
    place.wait()
    assert place.restarts == 0
    place.site.clock.advance(10)
    place.hardware.step()
    place.wait()
    assert place.restarts == 1


def test_changed_pauses_need_a_new_start_too(begin):
    place = begin()
    place.rules(RULES + '[passback]\nkind = "soft"\nseconds = 300\n')
    assert "passback" in place.reloader.reload().text


def test_nobody_stops_a_door_that_nothing_would_start_again(begin):
    place = begin(is_supervised=False)
    place.wish(1, recognition__fpir=1e-4)
    outcome = place.reloader.reload()
    assert (outcome.status, outcome.data) == ("failed", {"restart": False})
    assert "at the door" in outcome.text
    place.wait()


def test_a_door_that_is_held_unlocked_does_not_start_anew(begin):
    place = begin()
    place.site.rules.set_mode(ModeState(Mode.EVACUATION, None, "Desk"))
    place.wish(1, recognition__fpir=1e-4)
    assert place.reloader.reload().status == "failed"
    place.wait()
    assert place.restarts == 0


def test_held_open_limits_count_from_the_next_opening(begin):
    place = begin()
    place.wish(1, held__alarm_seconds=10, held__warning_seconds=2)
    machine = place.hardware.door._machine
    assert machine._ladder._settings.alarm_seconds == 10
    assert machine._settings.held.warning_seconds == 2
