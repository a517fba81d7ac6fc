"""Remote commands: what is let through, and everything that is not."""

import json
import random
from contextlib import closing, contextmanager, suppress
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.aside import TooSlow
from edge.broker.settings import BrokerSettings
from edge.errors import ConfigError, LockError, StoreError, SyncError
from edge.store.ledger import SqliteLedger
from edge.sync.desk import CommandDesk
from edge.sync.gate import UNLOCKS_PER_MINUTE, CommandGate
from edge.wire.commands import CommandOutcome, CommandRefusal, CommandRefused, CommandType
from edge.wire.signing import Signer, TrustedKeys
from tests.sync.hubside import (
    KEYS,
    SIGNER,
    STRANGER,
    ManualClock,
    MemoryJournal,
    MemoryLedger,
    message,
    signed,
    wish,
)
from tests.waiting import wait_until


class Site:
    """A door's gate and desk with everything around them in memory."""

    def __init__(self, trust="synced", ledger=None):
        self.clock = ManualClock()
        self.ledger = ledger or MemoryLedger()
        self.journal = MemoryJournal()
        self.gate = CommandGate("door-1", KEYS, self.ledger, self.clock, lambda: trust)
        self.executed = []
        self.desk = self.new_desk()

    def new_desk(self, told=frozenset):
        settings = BrokerSettings("localhost", "door-1")
        return CommandDesk(settings, self.gate, self.execute, self.journal.append, self.clock, told)

    def execute(self, command, reply):
        self.executed.append(command)
        reply(CommandOutcome("done", "unlocked, opened after 2.1 s"))

    def nonce(self):
        return self.gate.hand_out_nonce()

    def unlock(self, number=1, **changes):
        return signed(wish(self.clock, "unlock", number, nonce=self.nonce(), **changes))

    def refusal(self, payload, retained=False):
        with pytest.raises(CommandRefused) as caught:
            self.gate.admit(message(payload, retained))
        assert self.executed == []
        return caught.value.refused

    def answers(self):
        return [(answer["id"], answer["status"]) for answer in self.replies()]

    def replies(self):
        return [json.loads(payload) for _topic, payload, _retain in self.desk._answers]


def test_a_signed_unlock_with_a_fresh_nonce_is_let_through():
    """With who wants it and for how long."""
    site = Site()
    command = site.gate.admit(message(site.unlock(args={"seconds": 7})))
    assert (command.type, command.by, command.args) == (CommandType.UNLOCK, "Front desk", {"seconds": 7.0})


def test_a_replayed_unlock_is_refused():
    """The same bytes; a new id with the old nonce; an hour later; after the nonce's ten seconds."""
    site = Site()
    nonce = site.nonce()
    payload = signed(wish(site.clock, nonce=nonce))
    site.gate.admit(message(payload))
    assert site.refusal(payload) is CommandRefusal.DUPLICATE
    assert site.refusal(signed(wish(site.clock, number=2, nonce=nonce))) is CommandRefusal.NONCE
    late = signed(wish(site.clock, number=3, nonce=site.nonce()))
    site.clock.advance(10)
    assert site.refusal(late) is CommandRefusal.NONCE
    site.clock.advance(3600)
    assert site.refusal(payload) is CommandRefusal.DUPLICATE
    after_a_restart = Site()
    assert after_a_restart.refusal(payload) is CommandRefusal.NONCE


@pytest.mark.parametrize("kind", ["unlock", "evacuation", "normal", "reload", "enrol_window"])
def test_whatever_loosens_the_door_needs_a_nonce(kind):
    """None, an invented one, or an empty one."""
    site = Site()
    nonces: list[dict[str, str | None]] = [{}, {"nonce": None}, {"nonce": "invented"}]
    for number, nonce in enumerate(nonces):
        assert site.refusal(signed(wish(site.clock, kind, number, **nonce))) is CommandRefusal.NONCE


@pytest.mark.parametrize("kind", ["lockdown", "acknowledge_alarm", "diagnostics"])
def test_what_opens_nothing_needs_no_nonce_while_the_door_has_network_time(kind):
    """A hub of an older version gives them in one message."""
    site = Site("synced")
    assert site.gate.admit(message(signed(wish(site.clock, kind)))).type == kind


@pytest.mark.parametrize("trust", ["restored", "unknown"])
@pytest.mark.parametrize("kind", ["lockdown", "acknowledge_alarm", "diagnostics"])
def test_without_network_time_every_command_needs_a_nonce(trust, kind):
    """Recorded and withheld, or played back after its id was forgotten, a month later."""
    site = Site(trust)
    held = signed(wish(site.clock, kind, 1))
    assert site.refusal(held) is CommandRefusal.NONCE
    site.clock.advance(31 * 86_400)
    assert site.refusal(held) is CommandRefusal.NONCE
    assert site.gate.admit(message(signed(wish(site.clock, kind, 2, nonce=site.nonce())))).type == kind


def test_a_nonce_that_is_given_must_be_good():
    """A wrong one is not made up for by a good clock."""
    site = Site("synced")
    assert site.refusal(signed(wish(site.clock, "lockdown", nonce="invented"))) is CommandRefusal.NONCE


def test_of_two_modes_the_one_asked_for_later_counts():
    """Whatever the order in which they arrive."""
    site = Site()
    earlier, later = site.nonce(), site.nonce()
    site.gate.admit(message(signed(wish(site.clock, "normal", 1, nonce=later))))
    evacuation = signed(wish(site.clock, "evacuation", 2, nonce=earlier))
    assert site.refusal(evacuation) is CommandRefusal.OVERTAKEN


@pytest.mark.parametrize("kind", ["unlock", "evacuation", "normal", "enrol_window"])
@pytest.mark.parametrize("in_one_message", [False, True])
def test_a_lockdown_voids_what_was_asked_for_before(kind, in_one_message):
    """Only what is asked for after it can open the door again."""
    site = Site()
    before = site.nonce()
    nonce = {} if in_one_message else {"nonce": site.nonce()}
    site.gate.admit(message(signed(wish(site.clock, "lockdown", 1, **nonce))))
    assert site.refusal(signed(wish(site.clock, kind, 2, nonce=before))) is CommandRefusal.OVERTAKEN
    site.gate.admit(message(signed(wish(site.clock, kind, 3, nonce=site.nonce()))))


def test_an_old_command_is_refused_when_the_clock_can_tell():
    """Beyond its time to live and a minute of skew; also one from the future."""
    site = Site()
    old = signed(wish(site.clock, "lockdown"))
    ahead = signed(
        wish(site.clock, "diagnostics", 2, issued=(site.clock.now() + timedelta(minutes=5)).isoformat())
    )
    site.clock.advance(71)
    assert site.refusal(old) is CommandRefusal.EXPIRED
    assert site.refusal(ahead) is CommandRefusal.EXPIRED


def test_a_wrong_clock_does_not_stop_an_unlock():
    """Freshness of an unlock is the nonce's affair alone."""
    site = Site()
    payload = site.unlock(issued="2001-01-01T00:00:00+00:00")
    assert site.gate.admit(message(payload)).type is CommandType.UNLOCK


def test_forgeries_and_strays_are_refused():
    """Another key, another purpose, another door, a changed byte, retained."""
    site = Site()
    fields = wish(site.clock, nonce=site.nonce())
    assert site.refusal(signed(fields, STRANGER)) is CommandRefusal.SIGNATURE
    assert site.refusal(signed(fields, Signer("site-9", bytes(range(32))))) is CommandRefusal.SIGNATURE
    assert site.refusal(signed(fields, purpose="roster")) is CommandRefusal.SIGNATURE
    assert site.refusal(signed(fields | {"device": "door-2"})) is CommandRefusal.OTHER_DEVICE
    assert site.refusal(signed(fields), retained=True) is CommandRefusal.RETAINED
    tampered = json.loads(signed(fields))
    tampered["p"] = json.loads(signed(fields | {"args": {"seconds": 30}}))["p"]
    assert site.refusal(json.dumps(tampered).encode()) is CommandRefusal.SIGNATURE
    assert site.refusal(json.dumps(fields).encode()) is CommandRefusal.SIGNATURE
    assert site.gate.admit(message(signed(fields))).id == fields["id"]


@pytest.mark.parametrize(
    ("changes", "refused"),
    [
        ({"v": 2}, CommandRefusal.MALFORMED),
        ({"v": True}, CommandRefusal.MALFORMED),
        ({"surprise": 1}, CommandRefusal.MALFORMED),
        ({"id": "../../etc"}, CommandRefusal.MALFORMED),
        ({"id": 7}, CommandRefusal.MALFORMED),
        ({"type": "open_sesame"}, CommandRefusal.UNKNOWN_TYPE),
        ({"type": ["unlock"]}, CommandRefusal.UNKNOWN_TYPE),
        ({"issued": "yesterday"}, CommandRefusal.MALFORMED),
        ({"issued": "2026-01-01T00:00:00"}, CommandRefusal.MALFORMED),
        ({"issued": None}, CommandRefusal.MALFORMED),
        ({"ttl": 0}, CommandRefusal.MALFORMED),
        ({"ttl": 3600}, CommandRefusal.MALFORMED),
        ({"ttl": float("nan")}, CommandRefusal.MALFORMED),
        ({"by": "x" * 65}, CommandRefusal.MALFORMED),
        ({"by": "a\nb"}, CommandRefusal.MALFORMED),
        ({"args": {"seconds": 31}}, CommandRefusal.MALFORMED),
        ({"args": {"seconds": "7"}}, CommandRefusal.MALFORMED),
        ({"args": {"minutes": 7}}, CommandRefusal.MALFORMED),
        ({"args": []}, CommandRefusal.MALFORMED),
    ],
)
def test_a_signed_command_that_is_not_exactly_right_is_refused(changes, refused):
    """Also our own hub may have bugs: nothing is guessed."""
    site = Site()
    assert site.refusal(site.unlock(**changes)) is refused
    assert site.ledger.taken == set()


def test_at_most_six_remote_unlocks_a_minute():
    """The seventh waits; other commands do not."""
    site = Site()
    for number in range(UNLOCKS_PER_MINUTE):
        site.gate.admit(message(site.unlock(number)))
    assert site.refusal(site.unlock(99)) is CommandRefusal.TOO_MANY
    site.gate.admit(message(signed(wish(site.clock, "lockdown", 100))))
    site.clock.advance(60)
    site.gate.admit(message(site.unlock(101)))


def test_nonces_are_few_short_and_for_once():
    """A ninth pushes out the first; each serves one command."""
    site = Site()
    nonces = [site.nonce() for _ in range(9)]
    assert len(set(nonces)) == 9
    assert site.refusal(signed(wish(site.clock, nonce=nonces[0]))) is CommandRefusal.NONCE
    site.gate.admit(message(signed(wish(site.clock, number=2, nonce=nonces[1]))))
    assert site.refusal(signed(wish(site.clock, number=3, nonce=nonces[1]))) is CommandRefusal.NONCE


def test_a_command_is_taken_once_across_restarts(tmp_path):
    """The ledger is on disk before anything moves; ids are forgotten after thirty days."""
    payload, runs = None, []
    for _run in range(2):
        ledger = SqliteLedger(tmp_path / "commands.db")
        site = Site(ledger=ledger)
        payload = payload or signed(wish(site.clock, "lockdown"))
        site.desk.handle(message(payload))
        runs.append((len(site.executed), site.answers()))
        site.desk.idle()
        ledger.close()
    assert runs == [(1, [("command-000001", "done")]), (0, [("command-000001", "duplicate")])]
    ledger = SqliteLedger(tmp_path / "commands.db")
    assert ledger.claim("command-000001", site.clock.now() + timedelta(days=29)) is False
    assert ledger.claim("command-000001", site.clock.now() + timedelta(days=31)) is True
    ledger.close()


class PowerCutError(BaseException):
    """Ends a run in the middle of whatever it does."""


class Cut(Site):
    """A door that dies with what it begins."""

    def execute(self, command, reply):
        raise PowerCutError


class Runs:
    """The runs of one door, each of which knows what the one before left on the card."""

    def __init__(self, folder):
        self.folder = folder
        self.journal = MemoryJournal()

    @contextmanager
    def run(self, *, cut=False, after=timedelta(0)):
        with closing(SqliteLedger(self.folder / "commands.db")) as ledger:
            site = Cut(ledger=ledger) if cut else Site(ledger=ledger)
            site.clock.advance(after.total_seconds())
            site.journal = self.journal
            site.desk = site.new_desk(told=self.told)
            with suppress(PowerCutError):
                yield site

    def told(self):
        return [
            one.data["command"]
            for one in self.journal.drafts
            if one.kind in {"command.done", "command.failed"}
        ]


@pytest.mark.parametrize("kind", ["lockdown", "evacuation", "unlock"])
def test_what_was_taken_before_a_power_cut_is_done_or_told(tmp_path, kind):
    """A lock-down is done; of an opening nobody can say, and nobody wants it any more."""
    runs = Runs(tmp_path)
    with runs.run(cut=True) as site:
        nonce = None if kind == "lockdown" else site.nonce()
        site.desk.handle(message(signed(wish(site.clock, kind, nonce=nonce))))
    assert runs.told() == []
    with runs.run() as site:
        site.desk.idle()
        assert [command.type for command in site.executed] == (["lockdown"] if kind == "lockdown" else [])
        assert {command.by for command in site.executed} <= {"Front desk"}
        site.desk.idle()
    assert runs.told() == ["command-000001"]
    assert runs.journal.kinds()[-1][0] == ("command.done" if kind == "lockdown" else "command.failed")
    with runs.run() as site:
        site.desk.idle()
        assert site.executed == []
    assert runs.told() == ["command-000001"]


def test_what_is_newer_than_a_lock_down_that_was_cut_short_counts(tmp_path):
    """Told first, then what comes; a lock-down from long ago is told and not done."""
    runs = Runs(tmp_path)
    with runs.run(cut=True) as site:
        site.desk.handle(message(signed(wish(site.clock, "lockdown"))))
    with runs.run() as site:
        site.desk.handle(message(signed(wish(site.clock, "normal", 2, nonce=site.nonce()))))
        assert [command.type for command in site.executed] == ["lockdown", "normal"]
    with runs.run(cut=True) as site:
        site.desk.handle(message(signed(wish(site.clock, "lockdown", 3))))
    with runs.run(after=timedelta(days=2)) as site:
        site.desk.idle()
        assert site.executed == []
    assert runs.told() == ["command-000001", "command-000002", "command-000003"]
    assert runs.journal.kinds()[-1][0] == "command.failed"


def test_a_lock_down_whose_end_the_journal_has_is_not_done_again(tmp_path):
    """The power went before the ledger heard of it: somebody may have ended it at the door since."""
    runs = Runs(tmp_path)
    with runs.run() as site:
        site.desk.handle(message(signed(wish(site.clock, "lockdown"))))
        assert len(site.executed) == 1
    with runs.run() as site:
        site.desk.idle()
        assert site.executed == []
    assert runs.told() == ["command-000001"]


def test_a_challenge_is_answered_with_a_nonce_that_works():
    """The two steps of a remote unlock, at the desk."""
    site = Site()
    site.desk.handle(message(signed(wish(site.clock, "challenge"))))
    nonce = site.replies()[0]["data"]["nonce"]
    site.desk.handle(message(signed(wish(site.clock, "unlock", 2, nonce=nonce))))
    assert site.answers() == [("command-000001", "done"), ("command-000002", "done")]
    assert [command.type for command in site.executed] == [CommandType.UNLOCK]
    assert site.journal.kinds() == [("command.taken", None), ("command.done", None)]
    assert site.journal.drafts[1].data["text"] == "unlocked, opened after 2.1 s"


def test_a_failing_lock_is_reported_not_hidden():
    """The physical outcome is what staff get to see."""

    def stuck(command, reply):
        raise LockError("the relay does not answer")

    site = Site()
    site.desk._execute = stuck
    site.desk.handle(message(site.unlock()))
    assert site.answers() == [("command-000001", "failed")]
    assert site.journal.kinds() == [("command.taken", None), ("command.failed", None)]


def test_every_refusal_is_an_event_but_a_flood_is_counted():
    """A thousand forgeries cannot fill the disk; the count is not lost."""
    site = Site()
    for _ in range(1000):
        site.desk.handle(message(b"rubbish"))
    assert site.journal.kinds() == [("command.refused", "signature")] * 10
    site.clock.advance(61)
    site.desk.handle(message(b"rubbish"))
    assert site.journal.drafts[-1].data["unreported"] == 1000 - 10
    assert site.answers() == []


def test_each_kind_of_refusal_is_an_event_with_its_reason():
    """Replayed, retained, re-addressed, expired, wrongly signed, for another purpose, without a nonce."""
    site = Site()
    taken = signed(wish(site.clock, "lockdown", 1))
    site.desk.handle(message(taken))
    old = (site.clock.now() - timedelta(hours=1)).isoformat()
    for payload, retained in (
        (taken, False),
        (signed(wish(site.clock, "lockdown", 2)), True),
        (signed(wish(site.clock, "lockdown", 3, device="door-2")), False),
        (signed(wish(site.clock, "lockdown", 4, issued=old)), False),
        (signed(wish(site.clock, "lockdown", 5), STRANGER), False),
        (signed(wish(site.clock, "lockdown", 6), purpose="config"), False),
        (signed(wish(site.clock, "unlock", 7, nonce="heard somewhere")), False),
        (signed(wish(site.clock, "lockdown", 8, surprise=1)), False),
    ):
        site.desk.handle(message(payload, retained))
    refusals = [reason for kind, reason in site.journal.kinds() if kind == "command.refused"]
    expected = "duplicate retained other_device expired signature signature nonce malformed"
    assert refusals == expected.split()
    assert len(site.executed) == 1


class Failing(MemoryLedger):
    """On a card that answers nothing until it is well again."""

    error: Exception | None = StoreError("the card fails")

    def is_known(self, command_id):
        self._answer()
        return super().is_known(command_id)

    def claim(self, command_id, at, body=None):
        self._answer()
        return super().claim(command_id, at, body)

    def unfinished(self):
        self._answer()
        return super().unfinished()

    def finish(self, command_ids):
        self._answer()
        super().finish(command_ids)

    def _answer(self):
        if self.error is not None:
            raise self.error


@pytest.mark.parametrize("error", [StoreError("read-only"), TooSlow("no answer within 1 s")])
def test_a_card_that_fails_or_hangs_keeps_nobody_from_locking_down_or_opening(error):
    """A nonce is good once, in this run: no card is needed to know that. Nothing is carried out twice."""
    ledger = Failing()
    ledger.error = error
    site = Site("unknown", ledger)
    site.desk.handle(message(signed(wish(site.clock, "challenge"))))
    nonce = site.replies()[0]["data"]["nonce"]
    ordered = [site.unlock(2), signed(wish(site.clock, "lockdown", 3, nonce=nonce))]
    for payload in ordered * 2:
        site.desk.handle(message(payload))
        site.desk.idle()
    assert [command.type for command in site.executed] == ["unlock", "lockdown"]
    statuses = [status for _, status in site.answers()]
    assert statuses == ["done", "done", "done", "duplicate", "duplicate"]
    after_a_restart = Site("unknown", ledger)
    for payload in ordered:
        after_a_restart.desk.handle(message(payload))
    assert after_a_restart.executed == []
    assert [status for _, status in after_a_restart.answers()] == ["rejected", "rejected"]


def test_without_a_ledger_nothing_is_executed_that_another_run_may_have_taken():
    """Without a nonce only the card knows: a restart could do it twice. Whoever gave it is told."""
    site = Site(ledger=Failing())
    site.desk.handle(message(signed(wish(site.clock, "lockdown"))))
    assert site.executed == []
    assert site.journal.kinds() == [("command.refused", "unavailable")]
    assert site.journal.drafts[0].data["command"] == "command-000001"
    assert site.answers() == [("command-000001", "rejected")]


def test_what_was_told_as_refused_is_not_carried_out_because_the_card_took_it_later():
    """It hung for longer than anybody waits, and then wrote what it had been given."""

    class Hanging(MemoryLedger):
        def claim(self, command_id, at, body=None):
            super().claim(command_id, at, body)
            raise TooSlow("no answer within 1 s")

    ledger = Hanging()
    site = Site(ledger=ledger)
    site.desk.handle(message(signed(wish(site.clock, "lockdown"))))
    assert site.answers() == [("command-000001", "rejected")]
    wait_until(lambda: not ledger.unfinished())


def test_a_lock_down_that_the_card_tells_of_late_does_not_end_what_was_ordered_since(tmp_path):
    """It was cut short in an earlier run, and the card did not say so at this one's start."""
    ledger = Failing()
    ledger.error = None
    with suppress(PowerCutError):
        Cut(ledger=ledger).desk.handle(message(signed(wish(Site().clock, "lockdown"))))
    ledger.error = StoreError("the card fails")
    site = Site(ledger=ledger)
    site.desk.handle(message(signed(wish(site.clock, "normal", 2, nonce=site.nonce()))))
    ledger.error = None
    for _ in range(2):
        site.desk.idle()
    assert [command.type for command in site.executed] == ["normal"]
    assert site.answers() == [("command-000002", "done"), ("command-000001", "failed")]
    assert ledger.unfinished() == []


def test_what_this_run_does_is_not_taken_for_cut_short_when_the_card_answers_late():
    """What is being done lies there beside what an earlier run left."""

    class Late(MemoryLedger):
        is_late = True

        def unfinished(self):
            if self.is_late:
                raise StoreError("the card fails")
            return super().unfinished()

    ledger, replies = Late(), []
    site = Site(ledger=ledger)
    site.desk._execute = lambda _command, reply: replies.append(reply)
    site.desk.handle(message(site.unlock()))
    ledger.is_late = False
    site.desk.idle()
    assert len(replies) == 1
    assert site.answers() == []


def test_two_keys_serve_while_changing_them():
    """The old and the new one; never none, never three, never a short one."""
    new = Signer("site-2", bytes(range(1, 33)))
    keys = TrustedKeys({"site-1": SIGNER.public, "site-2": new.public})
    assert keys.open(new.sign(b"x", "cmd"), "cmd") == keys.open(SIGNER.sign(b"x", "cmd"), "cmd") == b"x"
    for wrong in ({}, {"a": b"short"}, dict.fromkeys("abc", SIGNER.public)):
        with pytest.raises(ConfigError):
            TrustedKeys(wrong)


def mutations(rng, good):
    """Yield damaged versions of a good message, and plain rubbish, for ever."""
    while True:
        raw = bytearray(good)
        for _ in range(rng.randint(1, 4)):
            match rng.randrange(4):
                case 0:
                    raw[rng.randrange(len(raw))] ^= 1 << rng.randrange(8)
                case 1:
                    del raw[rng.randrange(len(raw)) :][:1]
                case 2:
                    raw.insert(rng.randrange(len(raw)), rng.randrange(256))
                case 3:
                    raw = bytearray(rng.randbytes(rng.randrange(200))) or bytearray(b"{")
        if bytes(raw) != good:
            yield bytes(raw)


@pytest.mark.slow
def test_a_hundred_thousand_damaged_messages_move_nothing():
    """Flipped, cut, stretched or random bytes: each refused, no other exception, nothing taken."""
    seed = random.SystemRandom().randrange(10**9)
    site, rng, admitted = Site(), random.Random(seed), 0
    good = site.unlock()
    fuzz = mutations(rng, good)
    for _ in range(100_000):
        payload = next(fuzz)
        try:
            site.gate.admit(message(payload))
        except CommandRefused:
            continue
        # A blank more is the same JSON; whatever is admitted carries exactly the signed bytes.
        assert json.loads(payload) == json.loads(good), (seed, payload)
        admitted += 1
        good = site.unlock(admitted + 1)
        fuzz = mutations(rng, good)
        site.clock.advance(11)
    assert site.executed == []


@given(
    st.recursive(
        st.none() | st.booleans() | st.floats() | st.integers() | st.text(),
        lambda s: (
            st.lists(s)
            | st.dictionaries(
                st.sampled_from(["v", "id", "device", "type", "issued", "ttl", "by", "args", "nonce", "x"]), s
            )
        ),
    )
)
def test_any_signed_json_is_a_command_or_a_refusal(value):
    """Even a hub gone mad cannot raise anything else."""
    site = Site()
    with pytest.raises(CommandRefused):
        site.gate.admit(message(signed(value)))


@given(st.binary(max_size=300))
def test_any_bytes_are_refused_by_the_keys(payload):
    """Never another exception than ours."""
    with pytest.raises(SyncError):
        KEYS.open(payload, "cmd")
