"""The roster at the door equals the property's, or the door knows that it does not."""

import json
import random
from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import pytest

from edge.broker.settings import BrokerSettings
from edge.domain import Resident, RosterState, Template
from edge.errors import RosterDrift, SyncError
from edge.store.contexts import RECORDS, person_of
from edge.store.residents import ResidentStore
from edge.store.roster import SqliteRoster, roster_digest
from edge.sync.follower import FIRST_PATIENCE_SECONDS, MOST_PATIENCE_SECONDS, RosterFollower
from edge.wire.records import parse_record
from tests.hub.test_devices import Nowhere
from tests.sync.hubside import KEYS, STRANGER, ManualClock, MemoryJournal
from tests.sync.property import Property

AT = datetime(2026, 3, 1, tzinfo=UTC)


class Key:
    """Seals without sealing: these tests are about people, not about bytes."""

    def __init__(self):
        self.forgotten = []
        self.sealed = set()

    def forget(self, person):
        self.forgotten.append(person)
        self.sealed.discard(person)

    def forget_all(self, people):
        for person in people:
            self.forget(person)

    def people(self):
        return tuple(sorted(self.sealed - {RECORDS}))

    def close(self):
        pass

    def seal(self, plain, context):
        self.sealed.add(person_of(context))
        return plain

    def open(self, sealed, context):
        return sealed

    def bind(self, row):
        return b""

    def is_ours(self, row, mark):
        return True


CONFIRMED_TOPIC = "facegate/v1/door-1/sync/confirmed"


class Follower:
    """A door following a property, message by message, without threads."""

    def __init__(self, folder):
        self.store = ResidentStore(folder / "residents.db", Key())
        self.roster = SqliteRoster(self.store)
        self.journal = MemoryJournal()
        self.clock = ManualClock()
        self.changes = 0
        self.clerk = RosterFollower(
            BrokerSettings("localhost", "door-1"),
            KEYS,
            self.roster,
            self.journal.append,
            self.clock,
            self._changed,
        )

    def _changed(self):
        self.changes += 1

    def take(self, *messages):
        for message in messages:
            self.clerk.handle(message)

    def questions(self):
        asked = [payload for topic, payload, _ in self.clerk._answers if topic.endswith("sync/req")]
        self.clerk._answers.clear()
        return asked

    def meet(self, property_):
        """Ask where the property's roster is, and be told; nothing more."""
        self.clerk._ask("delta")
        self.take(*property_.confirmed(json.loads(self.questions()[-1])["nonce"]))

    def converse(self, property_, rounds=10):
        """Show the head and pass questions and answers until there are no more questions."""
        self.take(property_.head())
        for _ in range(rounds):
            questions = self.questions()
            if not questions:
                return
            for question in questions:
                self.take(*property_.answer(question))
        raise AssertionError("they never stop talking")

    def ids(self):
        return [resident.id for resident in self.store.list()]

    def refusals(self):
        return [draft.data["detail"] for draft in self.journal.drafts if draft.kind == "roster.refused"]


@pytest.fixture
def door(tmp_path):
    door = Follower(tmp_path)
    yield door
    door.store.close()


@pytest.fixture
def site():
    site = Property()
    for name in ("anna", "bob", "carol"):
        site.put(name, name.title(), access_levels=["resident"])
    return site


def test_a_new_door_gets_everything_and_then_only_changes(door, site):
    """Snapshot first, deltas after; each ends exactly where the head is."""
    door.converse(site)
    assert door.ids() == ["anna", "bob", "carol"]
    site.remove("bob")
    site.put("dora", "Dora", valid_until="2026-12-31T00:00:00+01:00", extended_unlock=True)
    door.take(site.delta(3))
    assert door.roster.state() == site.state()
    assert door.ids() == ["anna", "carol", "dora"]
    assert door.store.get("dora").extended_unlock is True
    assert door.store.get("dora").valid_until.utcoffset() is not None
    assert door.changes == 2


def test_being_up_to_date_is_silent_and_confirmed(door, site):
    """A head that agrees asks nothing; its time is what a lease is counted from."""
    door.converse(site)
    door.take(site.head())
    assert door.questions() == []
    assert door.roster.confirmed_at() == door.clock.now()
    assert door.clerk.behind == 0


def test_a_removed_resident_is_gone_with_the_face(door, site):
    """And the gallery can see whom to drop."""
    door.converse(site)
    door.store.put(door.store.get("bob"), [template("bob")], source="roster")
    before = door.store.version()
    site.remove("bob")
    door.take(site.delta(3))
    assert door.store.templates("m1") == ()
    assert door.store.changes_since(before).removed == ("bob",)
    assert door.store.sealer.forgotten == ["bob"]


def test_a_change_that_could_not_be_stored_is_asked_for_again_soon(door, site):
    """A full card for a moment must not keep a removed person until the next change."""
    door.converse(site)
    site.remove("bob")
    door.store.close()
    door.take(site.delta(3), site.head())
    assert ("roster.refused", None) in door.journal.kinds()
    door.roster._store = door.store = ResidentStore(door.store._path, Key())
    door.take(site.head())
    (question,) = door.questions()
    door.take(*site.answer(question))
    assert door.store.get("bob") is None
    door.store.close()


def test_a_full_card_changes_nothing_and_the_roster_is_whole_again_when_there_is_room(door, site):
    """SQLite's own page limit stands in for the disk."""
    door.converse(site)
    before, people = door.roster.state(), door.store.list()
    with door.store._file.using() as connection:
        connection.execute(f"PRAGMA max_page_count = {connection.execute('PRAGMA page_count').fetchone()[0]}")
    for number in range(300):
        site.put(f"new-{number}", "N" * 200)
    door.take(site.delta(before.rev))
    assert (door.roster.state(), door.store.list()) == (before, people)
    assert ("roster.refused", None) in door.journal.kinds()
    with door.store._file.using() as connection:
        connection.execute("PRAGMA max_page_count = 100000")
    door.converse(site)
    assert door.roster.state() == site.state()


def test_without_another_head_it_is_asked_for_by_time(door, site):
    door.converse(site)
    site.remove("bob")
    door.clerk._head = site.state()
    door.store.close()
    door.take(site.delta(3))
    door.roster._store = door.store = ResidentStore(door.store._path, Key())
    door.clerk.idle()
    assert door.questions() == []
    door.clock.advance(FIRST_PATIENCE_SECONDS + 1)
    door.clerk.idle()
    assert len(door.questions()) == 1


def test_a_removal_whose_head_a_failing_card_missed_too_is_asked_for_soon(door, site):
    """The door stood at the last head that it had taken, and waited up to an hour for the next one."""
    door.converse(site)
    site.remove("bob")
    door.store.close()
    door.take(site.delta(3), site.head())
    for _ in range(100):
        door.clock.advance(1)
        door.clerk.idle()
    door.roster._store = door.store = ResidentStore(door.store._path, Key())
    door.clock.advance(FIRST_PATIENCE_SECONDS + 1)
    door.clerk.idle()
    (question,) = door.questions()
    door.take(*site.answer(question))
    assert door.ids() == ["anna", "carol"]
    assert len(door.refusals()) == 1


def test_a_question_after_a_failing_card_is_asked_again_when_its_answer_is_lost(door, site):
    """An earlier answer, and a head of before, tell nothing of what the card missed."""
    door.converse(site)
    site.remove("bob")
    door.store.close()
    door.take(site.delta(3), site.head())
    door.roster._store = door.store = ResidentStore(door.store._path, Key())
    for patience in (1, 2):
        door.clock.advance(patience * FIRST_PATIENCE_SECONDS + 1)
        door.clerk.idle()
        questions = door.questions()
        assert len(questions) == 1
    door.take(*site.answer(questions[0]))
    assert door.ids() == ["anna", "carol"]


def template(identity):
    vector = np.zeros(128, np.float32)
    vector[3] = 1
    return Template(identity, vector, "m1", AT)


def test_a_changed_record_keeps_the_face_enrolled_here(door, site):
    """Templates never travel; a new name must not cost an enrolment."""
    door.converse(site)
    door.store.put(door.store.get("anna"), [template("anna")], source="roster")
    site.put("anna", "Anna Newname")
    door.take(site.delta(3))
    assert door.store.get("anna").name == "Anna Newname"
    assert len(door.store.templates("m1")) == 1


def test_people_enrolled_here_wait_until_the_property_knows_them(door, site):
    """A snapshot does not erase them; a record with their id confirms them."""
    door.store.put(Resident("zoe", "Zoe"), [template("zoe")])
    door.converse(site)
    assert door.roster.pending() == ("zoe",)
    assert door.ids() == ["anna", "bob", "carol", "zoe"]
    site.put("zoe", "Zoe Z")
    door.take(site.delta(3))
    assert door.roster.pending() == ()
    assert len(door.store.templates("m1")) == 1


def test_a_lost_removal_is_found_at_the_next_head(door, site):
    """The door knows that it is behind, asks, and gets it."""
    door.converse(site)
    site.remove("bob")
    lost = site.delta(3)
    site.put("dora")
    door.take(site.delta(4))
    assert "bob" in door.ids()
    door.take(site.head())
    assert door.clerk.behind == 2
    door.converse(site)
    assert door.ids() == ["anna", "carol", "dora"]
    door.take(lost)
    assert door.roster.state() == site.state()


def test_changes_that_are_lost_behind_their_confirmation_are_asked_for_again(door, site):
    """The door heard that it was behind, took that for its answer, and waited an hour for the next head."""
    door.converse(site)
    site.remove("bob")
    door.meet(site)
    door.clerk.idle()
    assert door.questions() == []
    door.clock.advance(FIRST_PATIENCE_SECONDS + 1)
    door.clerk.idle()
    (question,) = door.questions()
    door.take(*site.answer(question))
    assert door.ids() == ["anna", "carol"]
    door.clock.advance(MOST_PATIENCE_SECONDS + 1)
    door.clerk.idle()
    assert door.questions() == []


def test_a_roster_that_was_changed_behind_our_back_is_fetched_anew(door, site):
    """The same revision with another digest: everything is replaced."""
    door.converse(site)
    with door.store.writing() as (connection, _):
        connection.execute("DELETE FROM roster WHERE id = 'anna'")
        connection.execute("UPDATE roster_head SET digest = 'x'")
    door.converse(site)
    assert door.ids() == ["anna", "bob", "carol"]
    assert door.roster.state() == site.state()


def test_a_delta_that_leads_elsewhere_changes_nothing_and_asks_for_all(door, site):
    """Its digest is checked before it is committed."""
    door.converse(site)
    site.remove("bob")
    honest = site.state
    site.state = lambda rev=None: replace(honest(rev), digest="0" * 64)
    door.take(site.delta(3))
    del site.state
    assert "bob" in door.ids()
    assert json.loads(door.questions()[-1])["want"] == "snapshot"


def test_an_old_roster_played_back_is_refused(door, site):
    """Signed once is not valid for ever: neither head nor snapshot may go back."""
    door.converse(site)
    old_head, old_snapshot = site.head(), list(site.snapshot())
    site.remove("bob")
    door.take(site.delta(3), old_head, *old_snapshot)
    assert "bob" not in door.ids()
    assert len(door.refusals()) == 1
    assert "older than ours" in door.refusals()[0]


@pytest.mark.parametrize(
    ("epoch", "begun", "stays"),
    [(1, 5, False), (1, 2, True), (1, None, True), (2, 5, True)],
    ids=["somebody else's since", "the same person", "an older hub", "another count of revisions"],
)
def test_a_face_does_not_pass_to_who_was_given_the_id_in_revisions_that_were_missed(
    door, site, epoch, begun, stays
):
    """A door that was away for long is sent all records at once, and no removals."""
    door.converse(site)
    door.store.put(door.store.get("bob"), [template("bob")], source="roster")
    before = door.store.version()
    site.epoch = epoch
    site.remove("bob")
    site.put("bob", "Bob again", **({} if begun is None else {"begun": begun}))
    site.put("dora")
    door.take(*site.snapshot())
    door.converse(site)
    assert door.ids() == ["anna", "bob", "carol", "dora"]
    assert door.roster.state() == site.state()
    assert [one.resident_id for one in door.store.templates("m1")] == (["bob"] if stays else [])
    if not stays:
        assert "bob" in door.store.changes_since(before).put, (
            "the gallery reads that there is no face any more"
        )


def test_a_new_epoch_starts_over_and_the_old_one_never_returns(door, site):
    """When the property had to rebuild its log."""
    door.converse(site)
    rebuilt = Property(epoch=2)
    rebuilt.put("anna", "Anna")
    door.converse(rebuilt)
    assert door.ids() == ["anna"]
    door.take(site.head(), *site.snapshot())
    assert door.ids() == ["anna"]


@pytest.mark.parametrize("topic", ["head", "delta", "snapshot"])
def test_an_unsigned_or_foreign_or_misaddressed_roster_is_refused(door, topic):
    """Another key; another door's; another purpose."""
    for wrong in (Property(signer=STRANGER), Property(device="door-2")):
        wrong.put("mallory", "Mallory")
        wrong.settings = BrokerSettings("localhost", "door-1")
        door.take(*{"head": [wrong.head()], "delta": [wrong.delta(0)], "snapshot": wrong.snapshot()}[topic])
    assert door.ids() == []
    assert door.refusals()


def test_a_signature_for_one_purpose_is_worthless_for_another(door, site):
    """A manifest is not a head."""
    head = site.head()
    site_delta = replace(site.delta(0), payload=head.payload)
    door.take(site_delta)
    assert "signature is wrong" in door.refusals()[0]


BAD_RECORDS = [
    {"name": "No id"},
    {"id": "x", "name": "N", "templates": ["AAAA"]},
    {"id": "x" * 129, "name": "N"},
    {"id": "a\nb", "name": "N"},
    {"id": 7, "name": "N"},
    {"id": "x", "name": ""},
    {"id": "x", "name": "\ud800"},
    {"id": "x", "name": "N" * 10_000_000},
    {"id": "x", "name": "N", "access_levels": "all"},
    {"id": "x", "name": "N", "access_levels": ["l"] * 33},
    {"id": "x", "name": "N", "access_levels": [None]},
    {"id": "x", "name": "N", "valid_until": "tomorrow"},
    {"id": "x", "name": "N", "valid_until": "2026-01-01T00:00:00"},
    {"id": "x", "name": "N", "valid_from": 0},
    {"id": "x", "name": "N", "extended_unlock": "yes"},
    {"id": "x", "name": "N", "consent_id": {}},
    ["id", "name"],
    None,
]


@pytest.mark.parametrize("record", BAD_RECORDS, ids=lambda record: str(record)[:40])
def test_a_bad_record_is_refused(record):
    """Each with a reason, never another exception."""
    with pytest.raises(SyncError):
        parse_record(record)


def test_one_bad_record_refuses_the_whole_delta_and_tells_the_property(door, site):
    """The good change beside it is not applied either; the reason travels back."""
    door.converse(site)
    site.put("dora")
    site.put("evil")
    site.log[-1] = replace(site.log[-1], text='{"id":"evil","name":"E","templates":[]}')
    door.take(site.delta(3))
    assert door.ids() == ["anna", "bob", "carol"]
    assert "unknown field 'templates'" in door.refusals()[0]
    assert "unknown field" in json.loads(door.questions()[-1])["problem"]


def test_a_part_that_was_changed_on_the_way_is_refused(door, site):
    """The manifest is signed and names each part's digest."""
    door.meet(site)
    manifest, part = site.snapshot()
    door.take(manifest, replace(part, payload=part.payload.replace(b"Bob", b"Eve")))
    assert door.ids() == []
    assert "not the one in the signed manifest" in door.refusals()[0]
    door.take(part)
    assert door.ids() == ["anna", "bob", "carol"]


def test_an_unanswered_question_is_asked_again_with_growing_patience(door, site):
    """10 s, 20 s, ... : a hub that is down is not shouted at."""
    door.take(site.head())
    assert len(door.questions()) == 1
    door.clock.advance(FIRST_PATIENCE_SECONDS + 0.1)
    door.clerk.idle()
    assert len(door.questions()) == 1
    door.clock.advance(FIRST_PATIENCE_SECONDS + 0.1)
    door.clerk.idle()
    assert door.questions() == []
    door.clock.advance(FIRST_PATIENCE_SECONDS)
    door.clerk.idle()
    assert len(door.questions()) == 1


def test_a_new_connection_asks_at_once_and_again_until_it_is_answered(door, site):
    """What the broker kept may be old, or gone."""
    door.clerk.opened(Nowhere(), 0.0)
    door.clerk.idle()
    assert len(door.questions()) == 1
    door.clock.advance(FIRST_PATIENCE_SECONDS + 0.1)
    door.clerk.idle()
    (question,) = door.questions()
    door.take(*site.answer(question))
    assert door.ids() == ["anna", "bob", "carol"]


def test_a_recorded_head_confirms_nothing_however_often_it_is_shown(door, site):
    """Only an answer to a nonce of the door's own does: else a withheld removal would never end."""
    door.converse(site)
    confirmed = door.roster.confirmed_at()
    old, answers = site.head(), list(site.confirmed("a nonce of another time"))
    site.remove("bob")
    for _ in range(20):
        door.clock.advance(86_400)
        door.take(old, *answers)
        assert door.roster.confirmed_at() == confirmed
        assert len(door.questions()) == 1  # it asks, and is not answered
    door.converse(site)
    assert door.ids() == ["anna", "carol"]
    assert door.roster.confirmed_at() > confirmed


@pytest.mark.parametrize("way", ["snapshot", "delta"])
def test_an_empty_door_takes_no_recorded_roster(door, site, way):
    """A new card, or one begun anew: who was removed meanwhile must not come back."""
    old = [site.head(), *(site.snapshot() if way == "snapshot" else [site.delta(0)])]
    site.remove("bob")
    door.take(*old)
    assert door.ids() == []
    assert door.questions()
    door.meet(site)
    door.take(*old)
    assert door.ids() == []
    assert "playing back" in door.refusals()[-1]
    door.converse(site)
    assert door.ids() == ["anna", "carol"]


def test_a_confirmation_of_another_door_or_purpose_is_none(door, site):
    door.clerk._ask("delta")
    nonce = json.loads(door.questions()[-1])["nonce"]
    other = Property("door-2")
    door.take(*[replace(one, topic=CONFIRMED_TOPIC) for one in other.confirmed(nonce)])
    door.take(replace(site.head(), topic=CONFIRMED_TOPIC))
    assert door.clerk._fresh is None
    assert len(door.refusals()) == 2


def test_retained_deltas_are_refused(door, site):
    """Only the head is kept at the broker."""
    door.take(replace(site.delta(0), retained=True))
    assert "retained" in door.refusals()[0]


@pytest.mark.parametrize("seed", range(8))
def test_whatever_is_lost_doubled_or_late_the_door_converges(tmp_path, seed):
    """A random month: changes, lost and repeated and shuffled messages; one head at the end is enough."""
    rng, site, door = random.Random(seed), Property(keep=rng_keep(seed)), Follower(tmp_path)
    late = []
    for _ in range(60):
        name = f"p{rng.randrange(12)}"
        site.remove(name) if rng.random() < 0.4 else site.put(name, f"N{rng.random()}")
        start = max(0, len(site.log) - rng.randrange(1, 4))
        late += [site.delta(start), site.head(), *(site.snapshot() if rng.random() < 0.1 else ())]
        rng.shuffle(late)
        while late and rng.random() < 0.7:
            message = late.pop()
            door.take(*[message] * rng.randrange(3))
    door.questions()
    door.converse(site)
    assert door.roster.state() == site.state()
    assert door.ids() == sorted(site.records)
    door.store.close()


def rng_keep(seed):
    return 5 if seed % 2 else 10_000


def test_noise_on_the_roster_topics_changes_nothing(door, site):
    """Twenty thousand damaged messages."""
    door.converse(site)
    rng, before = random.Random(11), door.roster.state()
    site.put("dora")
    good = [site.delta(3), site.head(), *site.snapshot()]
    for _ in range(20_000):
        message = rng.choice(good)
        raw = bytearray(message.payload)
        for _ in range(rng.randint(1, 3)):
            raw[rng.randrange(len(raw))] ^= 1 << rng.randrange(8)
        if json_of(raw) != json_of(message.payload):
            door.take(replace(message, payload=bytes(raw)))
    assert door.roster.state() == before
    assert door.ids() == ["anna", "bob", "carol"]


def json_of(raw):
    try:
        return json.loads(bytes(raw))
    except ValueError:
        return None


def test_the_digest_depends_on_id_revision_and_text():
    """And not on the order they come in."""
    rows = [("a", 1, "x"), ("b", 2, "y")]
    assert roster_digest(rows) == roster_digest(reversed(rows))
    others = [[("a", 1, "x")], [("a", 2, "x"), ("b", 2, "y")], [("a", 1, "z"), ("b", 2, "y")]]
    assert len({roster_digest(rows), *map(roster_digest, others)}) == 4


def test_the_store_keeps_its_state_when_a_replacement_does_not_add_up(door):
    """`replace` is one transaction with its check inside."""
    with pytest.raises(RosterDrift, match="asking for all of it"):
        door.roster.replace([], RosterState(1, 5, "0" * 64, 3))
    assert door.roster.state() == RosterState(digest=roster_digest([]))
