"""The settings that count: kept, refused as a whole, told, and never older than what was seen."""

import os
import threading

import pytest

from edge.aside import simulated
from edge.config.settings import Settings
from edge.errors import ConfigError, StoreError, SyncError
from edge.service.property.configuration import CONFIGURATION_FILE, Configuration
from edge.wire.configuration import Desired
from tests.fakes.deadlines import Deadlines
from tests.waiting import wait_until


def file(**recognition):
    return Settings.model_validate(
        {
            "door": {"id": "north"},
            "camera": {"source": "0"},
            "lock": {"driver": "dry-run"},
            "recognition": {"fpir": 1e-3, **recognition},
        }
    )


def wish(rev, **values):
    return Desired("north", rev, {key.replace("__", "."): value for key, value in values.items()})


@pytest.fixture
def path(tmp_path):
    return tmp_path / CONFIGURATION_FILE


def test_a_wish_counts_is_told_and_survives_a_restart(path):
    heard: list[Settings] = []
    configuration = Configuration(file(), path)
    configuration.subscribe(heard.append)
    configuration.take(wish(1, lock__unlock_seconds=8, recognition__fpir=1e-4))
    assert [settings.lock.unlock_seconds for settings in heard] == [8]
    told = configuration.reported()
    assert (told.rev, told.refused, told.pending) == (1, (), ("recognition.fpir",))
    assert (told.values["lock.unlock_seconds"], told.values["recognition.fpir"]) == (8, 1e-3)

    again = Configuration(file(), path)
    assert again.now.recognition.fpir == 1e-4
    assert again.reported().pending == ()
    assert again.reported().values["recognition.fpir"] == 1e-4


def test_a_bad_wish_is_refused_as_a_whole_and_the_last_good_one_stays(path):
    configuration = Configuration(file(), path)
    configuration.take(wish(1, lock__unlock_seconds=8))
    with pytest.raises(ConfigError, match="revision 2"):
        configuration.take(wish(2, lock__unlock_seconds=9, recognition__fpir=0.01))
    for one in (configuration, Configuration(file(), path)):
        told = one.reported()
        assert (told.rev, told.values["lock.unlock_seconds"]) == (2, 8)
        assert told.refused == ("recognition.fpir = 0.01: must be at most the installer's 0.001",)
    configuration.take(wish(3))
    assert configuration.reported().values["lock.unlock_seconds"] == 5
    assert configuration.reported().refused == ()


def test_an_old_wish_is_refused_also_after_a_restart_and_the_same_one_changes_nothing(path):
    Configuration(file(), path).take(wish(5, lock__unlock_seconds=8))
    again = Configuration(file(), path)
    again.subscribe(lambda _settings: pytest.fail("nothing changed"))
    again.take(wish(5, lock__unlock_seconds=4))
    with pytest.raises(SyncError, match="older"):
        again.take(wish(4, lock__unlock_seconds=4))
    assert again.now.lock.unlock_seconds == 8


def test_the_file_of_the_installer_wins_when_it_became_stricter(path):
    Configuration(file(), path).take(wish(1, recognition__fpir=5e-4, lock__unlock_seconds=8))
    again = Configuration(file(fpir=1e-4), path)
    assert (again.now.recognition.fpir, again.now.lock.unlock_seconds) == (1e-4, 5)
    assert again.reported().refused


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"desired": 1, "refused": []}', "\x00", "[" * 10000])
def test_a_damaged_file_never_stops_the_door(path, text):
    path.write_text(text)
    assert Configuration(file(), path).now == file()


def test_what_the_card_does_not_give_at_the_start_counts_once_it_does(path):
    """The door went by its installer's looser settings until the next start, without a network for good."""
    Configuration(file(), path).take(wish(3, lock__unlock_seconds=8, recognition__fpir=1e-4))
    hidden = path.rename(path.with_name("hidden"))
    path.mkdir()  # cannot be read as a file
    heard: list[Settings] = []
    configuration = Configuration(file(), path)
    configuration.subscribe(heard.append)
    configuration.look_again()
    assert configuration.now == file()
    path.rmdir()
    hidden.rename(path)

    def is_found() -> bool:
        configuration.look_again()
        return bool(heard)

    wait_until(is_found)
    assert configuration.now.lock.unlock_seconds == 8
    assert configuration.reported().pending == ("recognition.fpir",)
    assert configuration.is_start_owed
    with pytest.raises(SyncError, match="older"):
        configuration.take(wish(2))
    assert not Configuration(file(), path).is_start_owed


def test_what_is_sent_again_to_a_door_whose_file_was_damaged_is_owed_a_start(path):
    path.write_text("{")
    configuration = Configuration(file(), path)
    configuration.look_again()
    assert configuration.reported().pending == ()
    configuration.take(wish(3, recognition__fpir=1e-4))
    assert configuration.is_start_owed
    assert not Configuration(file(), path).is_start_owed


def test_what_is_wished_of_a_door_that_lost_nothing_waits_for_an_order(path):
    configuration = Configuration(file(), path)
    configuration.take(wish(1, recognition__fpir=1e-4))
    assert configuration.reported().pending == ("recognition.fpir",)
    assert not configuration.is_start_owed


def test_what_cannot_be_kept_does_not_count(path):
    configuration = Configuration(file(), path)
    path.mkdir()  # the file cannot be written: a folder has its name
    with pytest.raises(StoreError, match="does not count"):
        configuration.take(wish(1, lock__unlock_seconds=8))
    assert (configuration.now, configuration.reported().rev) == (file(), 0)


def test_a_start_does_not_wait_for_a_card_that_hangs(tmp_path):
    path = tmp_path / "configuration.json"
    os.mkfifo(path)
    with simulated(Deadlines(threading.Event())):
        assert Configuration(file(), path).now == file()
    path.write_text("{}")  # lets go of whoever waits at the pipe
