"""Certificates of faces in the roster: only doors that read them get them, and lists of people keep them."""

import json

import pytest

from edge.domain import RosterState
from edge.errors import SyncError
from edge.wire.roster import CONFIRMED, DELTA, HEAD, Confirmation, Delta, Head, Question
from facegate_hub.roster import RosterLog
from facegate_hub.tables import open_tables
from tests.sync.hubside import KEYS, SIGNER
from tests.wire.test_faces import DOOR_KEY, FACE

CERTIFICATE = FACE.signed(DOOR_KEY)


@pytest.fixture
def log(tmp_path):
    log = RosterLog(open_tables(f"sqlite:///{tmp_path}/hub.db"), SIGNER)
    log.change([{"id": FACE.person, "name": "An"}, {"id": "b", "name": "Bo"}])
    return log


def told(log, have, *reads):
    """Return (the state confirmed, the last change) as a door gets them."""
    question = Question(1, have, nonce="n", reads=reads)
    with log.moment() as moment:
        confirmed, delta = log.answer(moment, "front", question)
        (head,) = log.head(moment, "front", reads_faces=bool(reads))
    state = Confirmation.parse(KEYS.open(confirmed[1], CONFIRMED)).state
    changes = Delta.parse(KEYS.open(delta[1], DELTA))
    assert Head.parse(KEYS.open(head[1], HEAD)).state == state == changes.target
    return state, json.loads(changes.changes[-1].text)


def test_a_certificate_is_a_revision_that_only_doors_get_that_read_it(log):
    before = log.state()
    assert log.list_faces({FACE.person: [CERTIFICATE], "nobody": [CERTIFICATE]}) == 3
    whole, record = told(log, 2, "faces")
    plain, old = told(log, 2)
    assert record["faces"] == [CERTIFICATE]
    assert "faces" not in old
    assert whole.digest != plain.digest
    assert (whole.rev, plain.rev, whole.count) == (3, 3, before.count)


def test_a_list_of_people_neither_adds_a_certificate_nor_takes_one_away(log):
    log.list_faces({FACE.person: [CERTIFICATE]})
    forged = {"id": "b", "name": "Bo", "faces": [CERTIFICATE], "access_levels": ["staff"]}
    log.change([{"id": FACE.person, "name": "An Other"}, forged])
    assert told(log, 4, "faces")[1].get("faces") is None
    assert told(log, 3, "faces")[1].get("faces") is None
    with log.moment() as moment:
        rows = log.answer(moment, "front", Question(1, 0, reads=("faces",)))
    changes = Delta.parse(KEYS.open(rows[0][1], DELTA)).changes
    assert json.loads(changes[3].text)["faces"] == [CERTIFICATE]


def test_whoever_leaves_leaves_without_a_certificate_and_comes_back_without(log):
    log.list_faces({FACE.person: [CERTIFICATE]})
    log.change(removals=[FACE.person])
    log.change([{"id": FACE.person, "name": "An"}])
    assert told(log, 4, "faces")[1].get("faces") is None


def test_a_certificate_taken_away_is_a_revision_and_the_same_one_none(log):
    assert log.list_faces({FACE.person: [CERTIFICATE]}) == 3
    assert log.list_faces({FACE.person: [CERTIFICATE]}) == 3
    assert log.list_faces({FACE.person: []}) == 4
    assert told(log, 3, "faces")[1].get("faces") is None


def test_what_is_no_certificate_is_not_listed(log):
    with pytest.raises(SyncError):
        log.list_faces({FACE.person: ["nonsense"]})
    assert log.rev() == 2


def test_a_door_hears_which_list_of_doors_is_the_newest(log):
    log.doors_number = lambda: 7
    with log.moment() as moment:
        with_faces = log.answer(moment, "front", Question(1, 2, nonce="n", reads=("faces",)))
        without = log.answer(moment, "front", Question(1, 2, nonce="n"))
    assert Confirmation.parse(KEYS.open(with_faces[0][1], CONFIRMED)).doors == 7
    assert Confirmation.parse(KEYS.open(without[0][1], CONFIRMED)).doors is None
    assert isinstance(moment.plain, RosterState)


def test_an_id_that_comes_onto_the_roster_says_since_which_revision(log):
    """So that a door that missed its removal does not take a new tenant for the former one."""
    log.change([{"id": "b", "name": "Bob", "begun": 99}])
    assert told(log, 2, "faces")[1] == {"id": "b", "name": "Bob", "begun": 2}
    log.change(removals=["b"])
    log.change([{"id": "c", "name": "Cy"}, {"id": "b", "name": "Bea"}])
    assert told(log, 5, "faces")[1] == {"id": "b", "name": "Bea", "begun": 6}
    assert told(log, 5)[1] == {"id": "b", "name": "Bea"}
