"""The journal on a card that fails: nothing stored is lost, nothing healthy is moved, and it comes back."""

import pytest

from tests.io.card import Card

TRIALS = "tests.io.journal_trials"


@pytest.fixture
def card(tmp_path):
    (tmp_path / "data").mkdir()
    return Card(tmp_path / "data", tmp_path / "control")


@pytest.mark.parametrize(
    "rule",
    [
        "fsync journal.db* EIO count=1",
        "pwrite journal.db* EIO count=1",
        "pwrite journal.db* EROFS count=1",
        "fsync,pwrite journal.db* EIO count=2",
    ],
)
def test_one_error_costs_nothing(card, rule):
    """The event that met it is stored, no entry goes, the ballast stays, and no word of a full disk."""
    found = card.run(TRIALS, "one error", rule)
    assert found["stored"] == 304
    assert found["entries"] == found["verified"] == 304
    assert (found["lost"], found["twice"], found["damaged_files"]) == (0, 0, 0)
    assert found["ballast"]
    assert found["about_itself"] == []


@pytest.mark.parametrize(
    "rule",
    [
        "all journal.db* EIO",
        "reads,pwrite,fsync,ftruncate journal.db* EIO",
        "reads journal.db* EIO",
        "open journal.db* EIO",
        "fsync journal.db* EIO",
        "pwrite,fsync journal.db* EROFS",
        "all journal.db* EIO p=0.4",
        "open *.db* EMFILE",
        "reads journal.db* FLIP p=0.2",
    ],
)
def test_after_a_bad_while_it_goes_on_with_the_same_file(card, rule):
    """Whatever failed: once the card is well the next event is stored, beside all that were."""
    found = card.run(TRIALS, "for a while", rule)
    assert found["after"] == 6
    assert (found["lost"], found["twice"], found["damaged_files"]) == (0, 0, 0)
    assert found["verified"] == found["entries"] == found["waiting"] == found["stored"] + _late(found)


def _late(found):
    """Count what the disk took though it had said no, and the entries that say so."""
    assert {kind for kind, _ in found["about_itself"]} <= {"journal.late"}
    return 2 * len(found["about_itself"])


def test_a_full_disk_costs_the_ballast_and_one_step_of_what_has_arrived(card):
    found = card.run(TRIALS, "full", "1500", "1")
    assert (found["during"], found["ballast"]) == (1, False)
    assert found["about_itself"] == [["journal.relieved", {"ballast": True, "removed": 1000, "upto": 1000}]]
    assert found["entries"] == found["verified"] == 1502


def test_a_full_disk_costs_no_entry_that_has_not_arrived(card):
    found = card.run(TRIALS, "full", "0", "5000")
    assert (found["during"], found["lost"]) == (1, 0)
    assert found["about_itself"] == [["journal.relieved", {"ballast": True, "removed": 0, "upto": 0}]]


def test_without_anybody_to_send_to_a_full_disk_takes_only_what_is_past_its_age(card):
    """Entries are kept for 90 days, here for 91 less than 1,000 of them: the others stay."""
    seconds_in_days = 600 / 86400
    found = card.run(TRIALS, "full", "no consumer", str(90 + seconds_in_days))
    assert found["during"] == 1
    [[kind, data]] = found["about_itself"]
    assert (kind, data["ballast"]) == ("journal.relieved", True)
    assert 590 < data["removed"] < 610


def test_without_anybody_to_send_to_the_only_copy_of_young_entries_stays(card):
    found = card.run(TRIALS, "full", "no consumer", "89")
    assert (found["during"], found["lost"]) == (1, 0)
    assert found["about_itself"] == [["journal.relieved", {"ballast": True, "removed": 0, "upto": 0}]]


@pytest.mark.parametrize("is_closed", ["closed", "in use"])
@pytest.mark.parametrize("errno", ["EROFS", "ENOSPC", "EACCES"])
def test_a_journal_is_read_on_a_card_that_takes_nothing(card, errno, is_closed):
    """What SQLite would write in order to read is not missed, and nothing new lies beside it."""
    found = card.run(TRIALS, "looked at", f"creat,changes,writes,ftruncate journal.db* {errno}", is_closed)
    assert (found["entries"], found["verified"]) == (300, 300)
    assert {name for name in found["names"] if "shm" not in name and "wal" not in name} == {"journal.db"}


def test_a_door_that_starts_on_a_full_card_gives_up_the_ballast(card):
    found = card.run(TRIALS, "full at the start")
    assert not found["ballast"]
    assert found["kinds"] == ["access.granted", "journal.relieved"]
