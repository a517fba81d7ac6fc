"""The AsyncAPI document: valid, up to date, and as strict as the parsers, in both directions."""

import json
import os
import re
from functools import cache
from itertools import count

import jsonschema
import pytest
from click.testing import CliRunner
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from edge.broker.settings import BrokerSettings
from edge.camera.check import PictureState
from edge.cli import app
from edge.errors import SyncError
from edge.relay.door import Alarm, DoorStatus, LockStatus, Secured
from edge.runtime.clock_trust import ClockTrust
from edge.site.provision import ACL
from edge.wire import state
from edge.wire.asks import ProgramAsk
from edge.wire.commands import CommandType, parse_command
from edge.wire.configuration import Desired, Reported
from edge.wire.ended_passes import PassEnds
from edge.wire.envelope import CLOCKS, EVENT
from edge.wire.faces.door_list import SIGNED_LIST
from edge.wire.faces.letters import Letter, parse_taken
from edge.wire.given_ways import GivenWays, WaysAsk
from edge.wire.messages import Availability, CommandAnswer, EventAck
from edge.wire.notices import NoticeSet
from edge.wire.roster import PART, Confirmation, Delta, Head, Question, SnapshotManifest
from edge.wire.rules import DesiredRules, ReportedRules
from edge.wire.shapes import require
from edge.wire.topics import TOPICS
from facegate_hub.batches import parse_batch
from tests.places import REPOSITORY
from tests.sync.contract import DOCUMENT, SCHEMAS, SPECIFICATION, VALIDATORS, breaches, channel_of, errors
from tests.sync.generated import values

GENERATED = settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much]
)


def parse_delta(body):
    """Parse a generated delta with its revisions made contiguous, which a schema cannot ask for."""
    fields = json.loads(body)
    fields["from"] = min(fields["from"], 2**52)
    revs = count(fields["from"] + 1)
    for op in fields["ops"]:
        op["rev"] = next(revs)
    fields["rev"] = fields["from"] + len(fields["ops"])
    return Delta.parse(json.dumps(fields).encode())


def parse_events(body):
    """Parse generated events as those of one stream, which a schema cannot ask for."""
    found = json.loads(body)
    for event in found if isinstance(found, list) else [found]:
        event["stream"] = "s"
    return parse_batch("front", json.dumps(found).encode())


PARSERS = {
    "availability": Availability.parse,
    "eventAcknowledgement": EventAck.parse,
    "events": parse_events,
    "answer": CommandAnswer.parse,
    "ask": ProgramAsk.parse,
    "commandSigned": parse_command,
    "rosterHeadSigned": Head.parse,
    "rosterConfirmedSigned": Confirmation.parse,
    "rosterDeltaSigned": parse_delta,
    "rosterSnapshotSigned": SnapshotManifest.parse,
    "rosterSnapshotPart": lambda body: require(PART, json.loads(body), "part"),
    "rosterQuestion": Question.parse,
    "desiredConfigurationSigned": Desired.parse,
    "reportedConfiguration": Reported.parse,
    "noticeSigned": NoticeSet.parse,
    "passesEndedSigned": PassEnds.parse,
    "desiredRulesSigned": DesiredRules.parse,
    "reportedRules": ReportedRules.parse,
    "waysGivenSigned": GivenWays.parse,
    "waysQuestion": WaysAsk.parse,
    "faceLetterSigned": Letter.parse,
    "faceDeliverySigned": Letter.parse,
    "faceTaken": parse_taken,
    "faceDoors": lambda body: require(SIGNED_LIST, json.loads(body), "doors"),
}


def test_it_is_an_asyncapi_3_document():
    """By the specification's own JSON Schema, and every reference leads somewhere."""
    if not SPECIFICATION.exists():
        reason = f"{SPECIFICATION} is missing; run: scripts/test"
        pytest.fail(reason) if os.environ.get("FACEGATE_CI") else pytest.skip(reason)
    specification = json.loads(SPECIFICATION.read_text())
    assert [e.message for e in jsonschema.Draft7Validator(specification).iter_errors(DOCUMENT)] == []
    for reference in re.findall(r'"\$ref": "#/([^"]+)"', json.dumps(DOCUMENT)):
        place = DOCUMENT
        for step in reference.split("/"):
            place = place[step]


def test_the_copy_in_docs_is_up_to_date_and_is_what_the_command_prints():
    kept = (REPOSITORY / "docs" / "asyncapi.json").read_text()
    result = CliRunner().invoke(app, ["mqtt", "asyncapi"])
    assert result.output == kept, "run: facegate mqtt asyncapi > docs/asyncapi.json"


@pytest.mark.parametrize("name", sorted(SCHEMAS))
def test_every_payload_schema_is_one(name):
    jsonschema.Draft7Validator.check_schema(SCHEMAS[name])


def test_every_payload_that_is_parsed_has_its_parser_tried_here():
    """What nobody parses is for others: the state, Home Assistant's, and what programs are answered."""
    inside = {
        schema["x-signed"]["$ref"].rpartition("/")[2] for schema in SCHEMAS.values() if "x-signed" in schema
    }
    plain = {topic.name for topic in TOPICS if topic.purpose is None}
    assert set(PARSERS) == (inside | plain) - {"state", "homeAssistantDiscovery", "askAnswer"}


@cache
def admitted(name):
    """Made once for all examples: to make them costs twice what drawing and parsing them does."""
    return values(SCHEMAS[name])


@pytest.mark.parametrize("name", sorted(PARSERS))
@GENERATED
@given(data=st.data())
def test_what_the_document_admits_is_parsed(name, data):
    """No parser refuses what the document allows a sender to send."""
    value = data.draw(admitted(name))
    assert errors(name, value) == []
    PARSERS[name](json.dumps(value).encode())


JUNK = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=70),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=4,
)
GOOD = {
    "availability": {"v": 1, "state": "online", "boot": "b"},
    "eventAcknowledgement": {"stream": "s", "upto": 1},
    "answer": {"v": 1, "id": "x", "status": "done", "reason": "", "data": {}},
    "commandSigned": {
        "v": 1,
        "id": "command-1",
        "device": "d",
        "type": "unlock",
        "issued": "2026-03-01T08:00:00Z",
        "ttl": 10,
        "by": "desk",
        "args": {"seconds": 5},
        "nonce": "n",
    },
    "rosterHeadSigned": {"v": 1, "device": "d", "epoch": 1, "rev": 1, "digest": "0" * 64, "count": 1},
    "rosterConfirmedSigned": {
        "v": 1,
        "device": "d",
        "nonce": "n",
        "epoch": 1,
        "rev": 1,
        "digest": "0" * 64,
        "count": 1,
    },
    "rosterQuestion": {"v": 1, "epoch": 1, "have": 1, "digest": "0" * 64, "want": "delta"},
    "rosterSnapshotPart": [
        {"rev": 1, "op": "put", "record": {"id": "a", "name": "A", "valid_until": None, "access_levels": []}}
    ],
    "desiredConfigurationSigned": {"v": 1, "device": "d", "rev": 1, "values": {"lock.unlock_seconds": 5}},
    "reportedConfiguration": {"v": 1, "rev": 1, "values": {}, "refused": [], "pending": []},
    "waysQuestion": {
        "v": 1,
        "device": "d",
        "nonce": "n",
        "upto": 1,
        "settled": [{"number": 1, "why": None}],
        "proof": "p",
    },
    "waysGivenSigned": {
        "v": 1,
        "device": "d",
        "nonce": "n",
        "orders": [{"number": 1, "person": "a", "way": "pin", "after": 0, "by": "b", "sealed": "s"}],
    },
}


def places(value, path=()):
    """Yield the path of every value inside a value."""
    yield path
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in inner:
        yield from places(item, (*path, key))


def replaced(value, path, new):
    if not path:
        return new
    copy = dict(value) if isinstance(value, dict) else list(value)
    copy[path[0]] = replaced(copy[path[0]], path[1:], new)
    return copy


@pytest.mark.parametrize("name", sorted(GOOD))
@GENERATED
@given(data=st.data())
def test_what_a_parser_refuses_the_document_refuses(name, data):
    """One value somewhere in a good payload becomes something else."""
    path = data.draw(st.sampled_from(list(places(GOOD[name]))))
    value = replaced(GOOD[name], path, data.draw(JUNK))
    refusal = refused(name, value)
    if refusal and "printable" not in refusal and not _is_whole_float(value):
        assert errors(name, value), refusal
    assert errors(name, GOOD[name]) == []


def refused(name, value):
    """Return why a parser refuses a value, None when it takes it."""
    try:
        PARSERS[name](json.dumps(value).encode())
    except SyncError as error:
        return str(error)
    return None


def _is_whole_float(value):
    """Say whether there is a 1.0 in it: a whole number to JSON Schema, not to us."""
    found = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return (isinstance(value, float) and value.is_integer()) or any(map(_is_whole_float, found))


def test_the_words_are_those_of_the_door():
    """The sync side may not import the others; so they are compared here."""
    assert set(state.CONTACT) == set(DoorStatus)
    assert set(state.LOCK) == set(LockStatus)
    assert set(state.SECURED) == set(Secured)
    assert set(CLOCKS) == set(ClockTrust)
    assert set(state.CAMERA) >= set(PictureState)
    assert max(map(len, Alarm)) <= 64
    assert set(PARSERS) >= {"commandSigned"}
    assert {schema["properties"]["type"]["enum"][0] for schema in SCHEMAS["commandSigned"]["oneOf"]} == set(
        CommandType
    )


def test_every_topic_a_broker_lets_a_door_use_is_declared():
    """And none is declared that the access list forbids; Home Assistant has a broker of its own."""
    rules = re.findall(r"pattern (read|write) (\S+)", ACL)
    own = [topic for topic in TOPICS if "{device}" in topic.address]
    for topic in own:
        sample = topic.address.replace("{device}", "%u").replace("{rev}", "7").replace("{part}", "1")
        sample = sample.replace("{number}", "+")
        verb = "write" if topic.sender == "door" else "read"
        allowed = {address for rule, address in rules if rule == verb}
        assert sample in allowed or (verb == "read" and sample.startswith(f"{ACL_SYNC}/")), topic.name
    for _, address in rules:
        if not address.endswith("#"):
            assert channel_of(address.replace("%u", "front").replace("+", "1")), address


ACL_SYNC = "facegate/v1/%u/sync"


def test_a_breach_is_seen():
    """Otherwise the checks of real traffic would prove nothing."""
    topic = BrokerSettings("127.0.0.1", "front").topic
    assert breaches(topic("evt", "ack"), b'{"stream":"s","upto":1}') == []
    assert breaches(topic("evt", "ack"), b'{"stream":"s","upto":-1}')
    assert breaches(topic("evt", "ack", "more"), b"{}") == ["no such topic"]
    assert breaches(topic("evt"), b"{}")
    assert breaches(topic("cmd"), b'{"kid":"a","p":"e30=","sig":"x"}')
    assert breaches(topic("sync", "head"), b"[" * 100_000)
    assert breaches(topic("sync", "snap", "3", "x"), b"[]") == ["no such topic"]
    assert len(VALIDATORS) == len(SCHEMAS)
    assert EVENT.fields["resident"].flaw("x" * 129)
