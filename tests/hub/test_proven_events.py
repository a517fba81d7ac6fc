"""Whose events these are: a broker without keys invents none, drops none unseen, and moves none."""

import json
from datetime import UTC, datetime

import pytest
import sqlalchemy as sa
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.domain import EventDraft
from edge.errors import SyncError
from edge.events import Kind
from edge.store.chain import Link, Stamp, forge
from edge.store.ids import uuid7
from edge.wire.proof import ACK_PURPOSE, EVENTS_PURPOSE, BatchHead
from facegate_hub.events import EventSink
from facegate_hub.retention import HubRetention
from facegate_hub.tables import DOUBTS, EVENTS, STREAMS, open_tables
from facegate_hub.vouching import allow_unproven
from tests.fakes.proofs import identity, notary
from tests.hub.entries import chain, pack


@pytest.fixture(params=["sqlite", "postgresql"])
def engine(request, tmp_path):
    url = (
        f"sqlite:///{tmp_path}/hub.db" if request.param == "sqlite" else request.getfixturevalue("postgresql")
    )
    engine = open_tables(url)
    yield engine
    engine.dispose()


def sink(engine):
    return EventSink(engine, origin=notary().origin)


def place_of(payload):
    events = json.loads(payload)
    events = events if isinstance(events, list) else [events]
    return events[0]["stream"], events[0]["seq"], events[-1]["seq"]


def proof(payload, device="front", done=0, by=None, purpose=EVENTS_PURPOSE):
    head = BatchHead.of(device, place_of(payload), done, payload)
    return (by or notary(device).identity).prove(head.body, purpose)


def send(sink, payload, device="front", done=0):
    return sink.store(device, payload, done, proof(payload, device, done))["upto"]


def stored(engine):
    query = sa.select(EVENTS.c.seq, EVENTS.c.resident).order_by(EVENTS.c.seq)
    with engine.connect() as connection:
        return [tuple(row) for row in connection.execute(query)]


def doubts(engine):
    with engine.connect() as connection:
        return sorted(connection.execute(sa.select(DOUBTS.c.kind)).scalars())


def forged(entry, **changes):
    """Return an event that follows the rules of the chain, made up by somebody."""
    fields = json.loads(entry) | changes
    fields.pop("hash")
    from facegate_hub.batches import _canonical, digest  # noqa: PLC0415

    return json.dumps(fields | {"hash": digest(_canonical(fields))})


def test_what_a_door_proves_is_stored_and_not_doubted(engine):
    entries, hub = chain("front", 6), sink(engine)
    assert send(hub, pack(entries[:3])) == 3
    assert send(hub, entries[3].encode(), done=3) == 4
    assert send(hub, pack(entries[2:]), done=2) == 6
    assert len(stored(engine)) == 6
    assert doubts(engine) == []


def test_a_broker_that_makes_up_events_of_a_door_stores_nothing(engine):
    """Once a door has proven its events it is held to that, in every journal."""
    entries, hub = chain("front", 4), sink(engine)
    send(hub, pack(entries[:2]))
    for payload in (
        forged(entries[2], resident="flat-1203").encode(),
        forged(entries[0], stream="another", type="consent.withdrawn").encode(),
    ):
        with pytest.raises(SyncError, match="without the proof"):
            hub.store("front", payload)
    assert len(stored(engine)) == 2
    assert doubts(engine) == ["forged", "forged"]
    assert send(hub, pack(entries[2:])) == 4, "the door's own go on"


def test_new_events_of_a_journal_that_went_back_behind_what_was_forgotten_are_kept(engine):
    """Their numbers were those of old ones that had been deleted for their age: they were lost, and done."""
    old, recent = datetime(2026, 3, 1, tzinfo=UTC), datetime(2026, 9, 1, tzinfo=UTC)
    first = chain("front", 6, stream="s", at=old)
    hub = EventSink(engine, lambda: old.timestamp() + 5, notary().origin)
    assert send(hub, pack(first)) == 6
    hub = EventSink(engine, lambda: recent.timestamp() + 5, notary().origin)
    assert send(hub, pack(chain("back", 1, at=recent)), "back") == 1
    assert HubRetention(engine, 90, lambda: recent.timestamp() + 5).prune().events == 6
    # A copy of the door's folder as it was after its second event is put back, and the door goes on.
    again = chain("front", 5, stream="s", at=recent)
    assert send(hub, pack(first[:2])) == 6, "what was forgotten does not come back"
    assert send(hub, pack(again[2:]), done=2) == 6
    assert send(hub, pack(again[2:]), done=2) == 6
    with engine.connect() as connection:
        query = sa.select(EVENTS.c.stream, EVENTS.c.seq).where(EVENTS.c.device == "front")
        kept = sorted(tuple(row) for row in connection.execute(query))
    assert [seq for _, seq in kept] == [3, 4, 5]
    assert {stream.partition("~")[0] for stream, _ in kept} == {"s"}
    assert doubts(engine) == ["back"]


def test_new_events_of_a_journal_that_went_back_behind_its_first_proof_are_kept(engine):
    """Under numbers that had been stored before the door proved any: they were a doubt, and lost."""
    first, hub = chain("front", 8, stream="s"), sink(engine)
    assert hub.store("front", pack(first[:6]))["upto"] == 6
    assert send(hub, pack(first[6:]), done=6) == 8
    again = chain("front", 5, stream="s", day=2)
    assert send(hub, pack(first[:2])) == 8
    assert send(hub, pack(again[2:]), done=2) == 8
    with engine.connect() as connection:
        beside = sa.select(EVENTS.c.seq).where(EVENTS.c.stream != "s").order_by(EVENTS.c.seq)
        assert list(connection.execute(beside).scalars()) == [3, 4, 5]
    assert doubts(engine) == ["back", "unproven"]


def test_what_nobody_proves_under_forgotten_numbers_is_a_doubt(engine):
    old, recent = datetime(2026, 3, 1, tzinfo=UTC), datetime(2026, 9, 1, tzinfo=UTC)
    EventSink(engine, lambda: old.timestamp() + 5).store("front", pack(chain("front", 3, stream="s", at=old)))
    assert HubRetention(engine, 90, recent.timestamp, trusts_clock=True).prune().events == 3
    hub = EventSink(engine, lambda: recent.timestamp() + 5)
    assert hub.store("front", pack(chain("front", 3, stream="s", at=recent)))["upto"] == 3
    assert doubts(engine) == ["again", "again", "again", "unproven"]


@pytest.mark.parametrize(
    ("by", "why"),
    [
        (lambda: identity("back"), "signed by back"),
        (lambda: identity("hub"), "signed by hub"),
        (lambda: identity("front", issuer="somebody else"), "not this site's"),
    ],
)
def test_a_proof_by_somebody_else_is_a_doubt_and_nothing_is_stored(engine, by, why):
    entries, hub = chain("front", 2), sink(engine)
    payload = pack(entries)
    with pytest.raises(SyncError, match=why):
        hub.store("front", payload, 0, proof(payload, by=by()))
    assert stored(engine) == []
    assert doubts(engine) == ["forged"]


def test_a_proof_moves_to_no_other_door_journal_number_floor_or_purpose(engine):
    entries, hub = chain("front", 4), sink(engine)
    payload = pack(entries[:2])
    good = proof(payload)
    other = pack([forged(one, stream="another") for one in entries[:2]])
    later = pack([forged(one, seq=json.loads(one)["seq"] + 7) for one in entries[:2]])
    for device, sent, done, shown in (
        ("back", payload, 0, good),
        ("front", other, 0, good),
        ("front", later, 0, good),
        ("front", payload[:-1] + b" ]", 0, good),
        ("front", payload, 1, good),
        ("front", payload, 0, proof(payload, purpose=ACK_PURPOSE)),
        ("front", payload, 0, good[:-8] + "AAAAAAA="),
        ("front", payload, 0, "x"),
    ):
        with pytest.raises(SyncError):
            hub.store(device, sent, done, shown)
    assert stored(engine) == []


def test_a_door_that_proves_nothing_is_doubted_once_until_somebody_declares_it(engine):
    """One of an older version; nothing of it is lost."""
    entries, hub = chain("front", 4), sink(engine)
    assert hub.store("front", pack(entries[:2]))["upto"] == 2
    assert hub.store("front", pack(entries[2:]))["upto"] == 4
    assert doubts(engine) == ["unproven"]
    with engine.begin() as connection:
        connection.execute(sa.delete(DOUBTS))
        allow_unproven(connection, "back", "updated next week")
    assert hub.store("back", pack(chain("back", 2)))["upto"] == 2
    assert doubts(engine) == []


def test_a_door_that_is_updated_proves_what_follows_and_may_be_let_off_again(engine):
    entries, hub = chain("front", 8), sink(engine)
    hub.store("front", pack(entries[:3]))
    assert send(hub, pack(entries[3:5]), done=3) == 5
    with pytest.raises(SyncError):
        hub.store("front", pack(entries[5:6]))
    with engine.begin() as connection:
        allow_unproven(connection, "front", "put back to the old version")
    assert hub.store("front", pack(entries[5:6]))["upto"] == 6
    assert send(hub, pack(entries[6:]), done=6) == 8
    assert doubts(engine) == ["forged", "unproven"]


def test_what_was_made_up_before_the_door_first_spoke_gives_way(engine):
    """The broker was quicker: the door is told of nothing, sends its own, and those stay."""
    entries, hub = chain("front", 4), sink(engine)
    invented, link = [], None
    for entry in entries:
        changes = {"resident": "nobody"} if link is None else {"resident": "nobody", "prev": link}
        invented.append(forged(entry, **changes))
        link = json.loads(invented[-1])["hash"]
    result = hub.store("front", pack(invented))
    assert result["upto"] == 4
    assert send(hub, pack(entries[2:])) == 0, "what came before is not the door's: it is asked for again"
    assert send(hub, pack(entries[:2])) == 4
    assert stored(engine) == [(n, "anna") for n in range(1, 5)]
    assert doubts(engine) == ["forged"] * 4 + ["unproven"]


def test_acknowledgements_of_what_nobody_proves_are_not_proven(engine):
    """A door that proves its events takes no other; so nothing made up can make it forget its own."""
    from facegate_hub.batches import parse_batch  # noqa: PLC0415

    entries, hub = chain("front", 2), sink(engine)
    assert hub.commit([parse_batch("front", pack(entries[:1]))]).proven == frozenset()
    payload = pack(entries)
    done = hub.commit([parse_batch("front", payload, 0, proof(payload))])
    assert done.proven == {("front", json.loads(entries[0])["stream"])}


def test_a_burst_costs_one_signature_and_a_broken_chain_in_it_vouches_for_nothing(engine):
    """The newest message's proof covers what it follows, and only that."""
    from facegate_hub.batches import parse_batch  # noqa: PLC0415

    entries, hub = chain("front", 4), sink(engine)
    last = entries[3].encode()
    made_up = forged(entries[1], resident="nobody", prev=json.loads(entries[0])["hash"]).encode()
    batches = [
        parse_batch("front", entries[0].encode()),
        parse_batch("front", made_up),
        parse_batch("front", entries[2].encode()),
        parse_batch("front", last, 0, proof(last)),
    ]
    assert hub.commit(batches).acks[0][1]["upto"] == 0
    assert [seq for seq, _ in stored(engine)] == [3, 4]
    assert send(hub, pack(entries[:2])) == 4


@settings(max_examples=20, deadline=None)
@given(data=st.data())
def test_whatever_a_broker_mixes_in_what_the_door_sent_is_what_is_stored(tmp_path_factory, data):
    """Lost, doubled, reordered, without proof, or its own: in the end each event is there, and only those."""
    engine = open_tables(f"sqlite:///{tmp_path_factory.mktemp('mix')}/hub.db")
    hub, entries = sink(engine), chain("front", 6)
    cuts = [entries[0:2], entries[2:3], entries[3:6], entries[0:6]]
    for _ in range(data.draw(st.integers(1, 6))):
        payload = pack(data.draw(st.sampled_from(cuts)))
        how = data.draw(st.sampled_from(["own", "bare", "invented"]))
        if how == "own":
            send(hub, payload)
            continue
        if how == "invented":
            payload = pack([forged(entry, resident="nobody") for entry in entries[:2]])
        try:
            hub.store("front", payload)
        except SyncError:
            continue
    assert send(hub, pack(entries)) == 6
    assert stored(engine) == [(n, "anna") for n in range(1, 7)]
    with engine.connect() as connection:
        assert connection.execute(sa.select(STREAMS.c.upto)).scalars().all() == [6]
    engine.dispose()


def again(entries, kept, count, boot="after"):
    """Return what a door writes whose folder was put back as it was after `kept` entries."""
    first = json.loads(entries[0])
    link = Link(kept, json.loads(entries[kept - 1])["hash"])
    found = list(entries[:kept])
    for n in range(count):
        at = datetime(2026, 4, 1, 8, n, tzinfo=UTC)
        draft = EventDraft(Kind.DOOR_FORCED, at, float(n))
        row = forge(draft, uuid7(at), Stamp(first["stream"], boot, "synced", first["door"]), link)
        link = Link(row.seq, row.hash)
        found.append(row.envelope)
    return found


def kept(engine):
    """Return (stream, seq) of all alarms of a door that is forced."""
    query = sa.select(EVENTS.c.stream, EVENTS.c.seq).where(EVENTS.c.kind == "door.forced")
    with engine.connect() as connection:
        return sorted(tuple(row) for row in connection.execute(query))


def test_an_older_folder_put_back_is_noticed_and_what_happens_then_is_not_lost(engine):
    entries, hub = chain("front", 6), sink(engine)
    stream = json.loads(entries[0])["stream"]
    assert send(hub, pack(entries)) == 6
    back = again(entries, 3, 4)  # entries 4 to 7, of which the hub has seen others up to 6
    for _ in range(2):
        assert send(hub, pack(back[2:5]), done=2) == 6, "a door asks again until its numbers have caught up"
    assert doubts(engine) == ["back"]
    assert [seq for _, seq in kept(engine)] == [4, 5]
    assert all(name.startswith(f"{stream}~") for name, _ in kept(engine))
    assert send(hub, pack(back[2:]), done=2) == 7
    assert sorted(seq for _, seq in kept(engine)) == [4, 5, 6, 7]
    assert doubts(engine) == ["back", "link"]
    twice = again(entries, 3, 2, boot="once more")
    assert send(hub, pack(twice[3:]), done=3) == 7
    assert sorted(seq for _, seq in kept(engine)) == [4, 4, 5, 5, 6, 7]


def test_nobody_without_the_door_s_key_puts_its_journal_back(engine):
    entries, hub = chain("front", 4), sink(engine)
    send(hub, pack(entries))
    back = again(entries, 2, 2)
    with pytest.raises(SyncError):
        hub.store("front", pack(back[2:]), 2, proof(pack(back[2:]), by=notary("side").identity))
    assert kept(engine) == []
    assert "back" not in doubts(engine)
