"""What a principal, or somebody who guesses, tries against the signer: each once was a way round its word."""

import threading
import uuid
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime

import pytest

from edge.domain import RosterState
from edge.errors import SyncError
from edge.site.integrations import IntegrationGrant
from edge.wire.asks import ProgramAsk
from edge.wire.commands import CommandType
from facegate_hub.service import hand_over_site
from facegate_hub.signer.audit import read_wishes
from facegate_hub.signer.calls import answer
from facegate_hub.signer.client import SignerClient
from facegate_hub.signer.desk import SigningDesk
from facegate_hub.signer.principals import MOST_FAILURES, Caller
from facegate_hub.signer.rights import NotPermitted, Permission
from tests.hub.test_signer import OWNER, Place
from tests.sync.hubside import SIGNER

PASSWORD = "correct horse battery 9"


@pytest.fixture
def place(tmp_path):
    place = Place(tmp_path)
    yield place
    place.engine.dispose()


def notes(place):
    return read_wishes(place.engine, 1000)


def test_guesses_made_at_once_are_each_counted(place):
    place.person("gao")
    place.owner.change("password", name="gao", password=PASSWORD)
    tried, ready = [], threading.Barrier(3 * MOST_FAILURES)

    def guess(number):
        ready.wait()
        try:
            place.desk.principals.log_in("gao", f"wrong guess number {number}")
        except NotPermitted as error:
            tried.append(str(error))

    threads = [threading.Thread(target=guess, args=(number,)) for number in range(3 * MOST_FAILURES)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert sum("belong together" in one for one in tried) == MOST_FAILURES
    with pytest.raises(NotPermitted, match="too many"):
        place.desk.principals.log_in("gao", PASSWORD)
    place.seconds += 61
    assert place.desk.principals.log_in("gao", PASSWORD)


def test_no_roster_is_approved_that_the_audit_cannot_tell_of(place):
    """Half a character goes into no database: what was noted afterwards was then not noted at all."""
    place.person("anna", "manager")
    token = place.owner.change("token", name="anna")
    state = RosterState(1, 1, "0" * 64, 1)
    fields = {"before": None, "after": [[1, 1, "0" * 64, 1]], "about": {"note": "\ud800"}}
    told = answer(place.desk, Caller(OWNER.uid, token), "approve_roster", fields)
    assert "failed" in told
    with pytest.raises(NotPermitted):
        place.desk._rosters.require(state)


@pytest.mark.parametrize("about", [{"principal": "bob"}, {"what": "command", "door": "front"}])
def test_nobody_writes_anothers_deed_into_the_audit(place, about):
    reader = place.person("anna", "reader")
    with suppress(SyncError):
        reader.permit(Permission.LOOK, about)
    assert all(one.what != "command" and '"principal": "bob"' not in one.about for one in notes(place))


def test_nobody_fills_the_audit_by_what_they_may(place):
    reader = place.person("anna", "reader")
    with pytest.raises(SyncError, match="too long"):
        reader.permit(Permission.LOOK, {"note": "x" * 100_000})
    assert sum(len(one.about) for one in notes(place)) < 10_000


@pytest.mark.parametrize(
    ("name", "fields"),
    [
        ("revoke", {"grant": 10**30}),
        ("end", {"name": ["gao"]}),
        ("end", {"name": {"a": 1}}),
        ("end", {"name": "\ud800"}),
        ("audit", {"count": 1e400}),
        ("log_in", {"name": "\ud800", "password": "x"}),
        ("void", {"ids": ["\x00", "\ud800"]}),
        ("grant", {"name": "gao", "role": "desk", "doors": "*", "wanted": {"until": float("nan")}}),
        ("grant", {"name": "gao", "role": "desk", "doors": "*", "wanted": {"until": "tomorrow"}}),
        ("grant", {"name": "gao", "role": ["desk"], "doors": "*", "wanted": {}}),
        ("rule", {"name": "timezone", "value": "../../../etc/passwd"}),
    ],
)
def test_odd_values_are_refused_in_words(place, name, fields):
    place.person("gao")
    assert "failed" in answer(place.desk, OWNER, name, fields)


@pytest.mark.parametrize("taken", ["end", "revoke"])
def test_a_first_voice_ends_with_the_right_to_it(place, taken):
    anna, bob = place.person("anna", "guard"), place.person("bob", "guard")
    place.owner.change("rule", name="persons.evacuation", value="2")
    assert [one.id for one in anna.ask(["front"], "evacuation")] == [None]
    mine = next(one for one in place.owner.register()["principals"] if one["name"] == "anna")
    gone = {"name": "anna"} if taken == "end" else {"grant": mine["grants"][0]["id"]}
    place.owner.change(taken, **gone)
    assert [(one.id, one.refused) for one in bob.ask(["front"], "evacuation")] == [(None, None)]


def test_two_programs_are_not_two_people(place):
    """A hub that was broken into speaks for every integration."""
    bob = place.person("bob", "guard")
    place.owner.change("rule", name="persons.evacuation", value="2")
    place.desk = SigningDesk(
        *(place.engine, SIGNER), now=lambda: place.seconds, integrations=lambda: [grant("one"), grant("two")]
    )
    assert [asked(place, name).id for name in ("one", "two", "one")] == [None, None, None]
    assert bob.ask(["front"], CommandType.EVACUATION)[0].by == "app.one and bob"
    with pytest.raises(SyncError, match="for integrations"):
        place.owner.change("add", name="app.one", kind="person", account=None)


def grant(name):
    return IntegrationGrant(name, ("front",), ("evacuation",))


def asked(place, name):
    at = datetime.fromtimestamp(place.seconds, UTC)
    ask = ProgramAsk(str(uuid.uuid4()), "front", CommandType.EVACUATION, at, {})
    return place.desk.ask_for(OWNER, name, ask)


class Restarting(SignerClient):
    """A signer that answers after some calls, as one does that was killed; its history is kept."""

    def __init__(self, silent: int) -> None:
        self.silent, self.calls = silent, 0

    def adopt(self, states: Sequence[RosterState], wishes: Mapping[str, tuple[int, str]]) -> None:
        self.calls += 1
        if self.calls <= self.silent:
            raise SyncError("the signer does not answer")


def test_a_hub_whose_signer_was_just_killed_waits_for_it():
    """It begins all the same; one that stays away is told as before."""
    pauses: list[float] = []
    signer = Restarting(3)
    hand_over_site(signer, [], {}, pauses.append)
    assert (signer.calls, len(pauses)) == (4, 3)
    with pytest.raises(SyncError):
        hand_over_site(Restarting(10**6), [], {}, pauses.append)
