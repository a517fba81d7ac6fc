"""What staff are told of a command, and what the door does: never one without the other."""

import base64
import json
import random
import time

import pytest
import sqlalchemy as sa

from edge.broker.settings import BrokerSettings
from edge.runtime.clock import ManualClock
from edge.sync.desk import CommandDesk
from edge.sync.gate import CommandGate
from edge.wire.commands import CommandOutcome, CommandType
from edge.wire.messages import CommandAnswer, Message
from facegate_hub.commands import ANSWER_SECONDS, NONCE_SECONDS, Commander
from facegate_hub.database import reading
from facegate_hub.events import EventSink
from facegate_hub.requests import outcome, withdraw
from facegate_hub.tables import REQUESTS, open_tables
from tests.hub.entries import pack
from tests.hub.journals import Journal
from tests.hub.signing import ask, own_signer
from tests.hub.test_devices import Nowhere
from tests.sync.hubside import KEYS, MemoryJournal, MemoryLedger, message
from tests.waiting import wait_until

pytestmark = pytest.mark.slow

DOOR = "door-1"


class Wire:
    """A hub and a door; what one sent lies here until a test hands it to the other."""

    def __init__(self, folder, seconds=1_790_000_000.0):
        self.engine = open_tables("sqlite://")
        self.seconds = seconds
        self.clock = ManualClock()
        self.signer = own_signer(folder, lambda: self.seconds)
        self.hub = Commander(self.engine, self.signer, lambda: self.seconds)
        gate = CommandGate(DOOR, KEYS, MemoryLedger(), self.clock, lambda: "unknown")
        self.done = []
        self.journal = MemoryJournal()
        self.desk = CommandDesk(
            BrokerSettings("x", DOOR), gate, self.execute, self.journal.append, self.clock
        )
        self.down, self.up = [], []

    def execute(self, command, reply):
        self.done.append((command.id, command.type))
        reply(CommandOutcome("done", f"{command.type} done"))

    def ask(self, kind):
        self.seconds += 0.001
        return ask_at(self, kind)

    def status(self, request):
        return outcome(self.engine, request)[0]

    def failed(self):
        """Return every request that staff are told has failed, in one look."""
        with reading(self.engine) as connection:
            told = connection.execute(sa.select(REQUESTS.c.id).where(REQUESTS.c.status == "failed"))
            return set(told.scalars())

    def advance(self, seconds):
        self.seconds += seconds
        self.clock.advance(seconds)

    def work(self):
        """Let the hub take its turn."""
        self.hub.idle()
        while self.hub._answers:
            self.down.append(self.hub._answers.popleft()[1])

    def to_door(self):
        self.desk.handle(message(self.down.pop(0)))
        while self.desk._answers:
            self.up.append(self.desk._answers.popleft()[1])

    def to_hub(self):
        self.hub.handle(Message(f"facegate/v1/{DOOR}/cmd/ack", self.up.pop(0), False))
        self.work()

    def talk(self):
        """Hand over everything until nobody has anything to say."""
        self.work()
        while self.down or self.up:
            if self.down:
                self.to_door()
            if self.up:
                self.to_hub()

    def ordered(self):
        """What the hub's messages ask of the door, without handing them over."""
        return [json.loads(base64.b64decode(json.loads(one)["p"]))["type"] for one in self.down]


def ask_at(wire, kind, device=DOOR):
    request = ask(wire.engine, wire.signer, device, CommandType(kind))
    with wire.engine.begin() as connection:
        at = sa.update(REQUESTS).where(REQUESTS.c.id == request).values(asked_at=wire.seconds)
        connection.execute(at)
    return request


@pytest.fixture
def wire(tmp_path):
    wire = Wire(tmp_path)
    yield wire
    wire.signer.close()
    wire.engine.dispose()


KINDS = sorted(kind for kind in CommandType if kind is not CommandType.CHALLENGE)


@pytest.mark.parametrize("kind", KINDS)
def test_every_command_takes_two_steps_and_is_answered(wire, kind):
    request = wire.ask(kind)
    wire.talk()
    assert outcome(wire.engine, request) == ("done", f"{kind} done")
    assert wire.done == [(request, kind)]


@pytest.mark.parametrize("kind", KINDS)
def test_what_was_called_failed_is_never_given(wire, kind):
    """The door's nonce comes after staff were told."""
    request = wire.ask(kind)
    wire.work()
    wire.to_door()
    wire.advance(NONCE_SECONDS + 1)
    wire.work()
    assert wire.status(request) == "failed"
    wire.to_hub()
    assert wire.down == []
    assert wire.done == []


def test_what_somebody_stopped_waiting_for_is_never_given(wire):
    request = wire.ask("unlock")
    wire.work()
    wire.to_door()
    assert withdraw(wire.engine, request, "interrupted")
    wire.to_hub()
    assert (wire.down, wire.status(request)) == ([], "failed")


def test_nothing_queued_before_a_lost_connection_leaves_after_it(wire):
    """The request itself is begun anew while it is open: with another nonce, or not at all."""
    request = wire.ask("lockdown")
    wire.hub.idle()
    assert len(wire.hub._answers) == 1
    wire.hub.opened(Nowhere(), time.monotonic())
    assert not wire.hub._answers
    wire.talk()
    assert wire.done == [(request, "lockdown")]
    late = wire.ask("lockdown")
    wire.hub.idle()
    wire.advance(NONCE_SECONDS + 1)
    wire.hub.opened(Nowhere(), time.monotonic())
    wire.talk()
    assert wire.status(late) == "failed"
    assert len(wire.done) == 1


def test_an_order_without_an_answer_is_unknown_and_never_failed(wire):
    """The door may have carried it out."""
    request = wire.ask("unlock")
    wire.work()
    wire.to_door()
    wire.to_hub()
    wire.advance(ANSWER_SECONDS + 1)
    wire.work()
    assert wire.status(request) == "unknown"
    wire.to_door()
    assert wire.done == []  # its nonce has run out
    wire.to_hub()
    assert wire.status(request) == "rejected"


def test_a_late_answer_settles_what_was_unknown(wire):
    request = wire.ask("unlock")
    wire.work()
    wire.to_door()
    wire.to_hub()
    wire.to_door()
    wire.advance(ANSWER_SECONDS + 1)
    wire.work()
    assert (len(wire.done), wire.status(request)) == (1, "unknown")
    wire.to_hub()
    assert wire.status(request) == "done"


@pytest.mark.parametrize(
    ("kind", "state", "told"),
    [
        ("command.taken", "given", "given"),
        ("command.taken", "failed", "unknown"),
        ("command.done", "failed", "done"),
        ("command.done", "unknown", "done"),
        ("command.failed", "unknown", "failed"),
        ("command.refused", "unknown", "rejected"),
        ("command.failed", "done", "done"),
    ],
)
def test_the_doors_journal_corrects_what_staff_were_told(wire, kind, state, told):
    """An answer may be lost with a connection; an event never is."""
    request = wire.ask("unlock")
    with wire.engine.begin() as connection:
        connection.execute(sa.update(REQUESTS).values(status=state))
    journal = Journal(DOOR)
    journal.append(kind, {"command": request, "type": "unlock", "text": "opened after 2.0 s"})
    EventSink(wire.engine).store(DOOR, pack(journal.entries))
    assert wire.status(request) == told


def test_another_doors_journal_says_nothing_about_it(wire):
    request = wire.ask("unlock")
    with wire.engine.begin() as connection:
        connection.execute(sa.update(REQUESTS).values(status="unknown"))
    journal = Journal("door-2")
    for data in ({"command": request}, {"command": 7}, {}):
        journal.append("command.done", data)
    EventSink(wire.engine).store("door-2", pack(journal.entries))
    assert wire.status(request) == "unknown"


@pytest.mark.parametrize("looks", [1, 2])
def test_a_later_lockdown_overtakes_what_is_pending(wire, looks):
    """Both asked in one look of the hub, or the evacuation already on its way to a slow door."""
    evacuation = wire.ask("evacuation")
    unlock = wire.ask("unlock")
    if looks == 2:
        wire.work()
    lockdown = wire.ask("lockdown")
    wire.talk()
    assert wire.done == [(lockdown, "lockdown")]
    assert [wire.status(one) for one in (evacuation, unlock, lockdown)] == ["failed", "failed", "done"]


def test_the_last_of_several_modes_counts(wire):
    requests = [wire.ask(kind) for kind in ("lockdown", "evacuation", "normal", "lockdown", "normal")]
    wire.talk()
    assert wire.done == [(requests[-1], "normal")]


def test_an_answer_played_back_does_not_end_a_request(wire):
    """`duplicate` means that somebody doubled the order; the first one is answered too."""
    request = wire.ask("unlock")
    wire.work()
    wire.to_door()
    wire.to_hub()
    topic = f"facegate/v1/{DOOR}/cmd/ack"
    wire.hub.handle(Message(topic, CommandAnswer(request, "duplicate", "taken before", {}).encode(), False))
    assert wire.status(request) == "given"
    wire.hub.handle(
        Message(topic.replace("1/cmd", "2/cmd"), CommandAnswer(request, "done", "", {}).encode(), False)
    )
    assert wire.status(request) == "given"


def test_staff_are_told_whose_line_is_down(wire):
    """The hub's own: nothing is sent, and nothing blamed on the door."""
    wire.hub._stepped_at = 0.0
    request = wire.ask("unlock")
    wire.work()
    assert wire.down == []
    wait_until(lambda: wire.hub.link_problem(time.monotonic()), "it is lost at the second look")
    wire.advance(NONCE_SECONDS + 1)
    wire.work()
    assert "no connection to the broker" in outcome(wire.engine, request)[1]


class Fate:
    """What may happen to a wire, at random."""

    def __init__(self, wire, rng):
        self.wire, self.rng, self.requests = wire, rng, []
        self.steps = [self.ask, self.ask, wire.work, self.deliver, self.answer, self.wait, self.cut]

    def step(self):
        self.rng.choice(self.steps)()

    def ask(self):
        kinds = ("unlock", "lockdown", "evacuation", "normal")
        self.requests.append(self.wire.ask(self.rng.choice(kinds)))

    def deliver(self):
        if self.wire.down:
            self.wire.to_door()

    def answer(self):
        if self.wire.up:
            self.wire.to_hub()

    def wait(self):
        self.wire.advance(self.rng.choice([0.1, 1.0, 5.0, 12.0, 50.0]))

    def cut(self):
        """End the hub's connection, the hub, or the broker with what it holds."""
        match self.rng.randrange(6):
            case 0:
                self.wire.hub.opened(Nowhere(), time.monotonic())
            case 1:
                self.wire.hub = Commander(self.wire.engine, self.wire.signer, lambda: self.wire.seconds)
            case 2:
                self.wire.down.clear()


@pytest.mark.parametrize("seed", range(10))
def test_no_order_of_delays_losses_and_restarts_breaks_the_promise(wire, seed):
    """Nothing happens after staff were told failed, nothing twice, and the last mode counts."""
    failed: set[str]
    fate, failed = Fate(wire, random.Random(seed)), set()
    for _ in range(150):
        before = len(wire.done)
        fate.step()
        assert not failed & {one for one, _ in wire.done[before:]}, seed
        failed |= wire.failed()
    ids = [one for one, _ in wire.done]
    assert len(ids) == len(set(ids)), seed
    modes = [one for one, kind in wire.done if kind != "unlock"]
    assert modes == sorted(modes, key=fate.requests.index), seed
