"""Rules, clock, PINs and passes put together, with a clock that moves when told."""

from __future__ import annotations

import base64
import threading
from contextlib import ExitStack, closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
import pytest

from edge.cli.passes import draw_readable
from edge.config import load_settings
from edge.controller import DoorController
from edge.domain import EventDraft, Frame, Reason, Resident, Verdict
from edge.entry_facts import EntryFacts
from edge.errors import ConfigError
from edge.events import Kind
from edge.policy.modes import Mode, ModeState
from edge.policy.passes import Pass, door_marks, issue, pass_public_key
from edge.policy.pin import PinBook
from edge.runtime.clock import ManualClock
from edge.runtime.clock_trust import TrustedTime
from edge.runtime.kept_time import KeptTime, write_kept
from edge.service.entry.access import DoorAccess
from edge.service.entry.kept import ModeFile
from edge.service.entry.rules import DoorRules
from edge.service.hardware import DoorHardware
from edge.service.parts import gate_listener
from edge.store.credentials import CredentialStore, PinRow
from edge.store.residents import ResidentStore
from edge.store.sealer import file_key
from edge.store.way_rows import CREDENTIALS_FILE, PIN_KEY_FILE
from tests.test_controller import Sees, Wire, grant, written
from tests.waiting import PATIENCE

if TYPE_CHECKING:
    from collections.abc import Callable

PRIVATE = bytes(range(32))
PUBLIC = "A6EHv/POEL4dcN0Y50vAmWfk1jCbpQ1fHdyGZBJVMbg="
CONFIG = """
[door]
id = "north"
[camera]
source = "0"
[lock]
driver = "dry-run"
extended_unlock_seconds = 20
[panel]
enabled = true
[access]
pass_keys = ["{public}"]
rules = "{rules}"
"""
RULES = """
[levels.resident]
schedule = "always"
[levels.cleaner]
schedule = "mornings"
[schedules.mornings]
daily = ["06:00-13:00"]
[groups.twins]
members = ["anna"]
needs_pin_with_face = true
"""


class Site:
    """A door's access with a clock to move and a history of what was written and opened."""

    def __init__(self, folder, stack: ExitStack, rules: str = RULES, *, synced: bool = True) -> None:
        self.folder, self.wire, self.clock = folder, Wire(), ManualClock()
        (folder / "rules.toml").write_text(rules)
        config = folder / "config.toml"
        config.write_text(CONFIG.format(rules=folder / "rules.toml", public=PUBLIC))
        self.settings = load_settings(config)
        self.store = stack.enter_context(closing(ResidentStore(folder / "residents.db")))
        for resident in (
            Resident("anna", "Anna"),
            Resident("bert", "Bert", extended_unlock=True),
            Resident("carl", "Carl", ("cleaner",)),
        ):
            self.store.put(resident, [])
        time = TrustedTime(self.clock, folder / "floor", lambda: synced)
        self.events = written(self.wire, self.clock)
        self.rules = DoorRules(self.settings, folder, self.clock, time, self.store, self.events)
        stack.callback(self.rules.close)
        self.access = self.with_lock(self.wire)
        self.later: list[float] = []

    def with_lock(self, lock: Any, *decisions: Any) -> DoorAccess:
        """Return the ways in to a door with this lock, whose camera concludes these decisions."""
        self.controller = DoorController(Sees(*decisions), self.rules.policy, self.events, lock, self.clock)
        return DoorAccess(self.settings, self.rules, self.controller, self.events, self.clock)

    def sees(self, *decisions: Any) -> list[Any]:
        """Let the camera conclude something; return what became of it."""
        access = self.with_lock(self.wire, *decisions)
        outcomes = self.controller.handle(Frame(np.zeros((1, 1, 3), np.uint8), 0, 0.0, self.clock.now()))
        for outcome in outcomes:
            access.heard(outcome, lambda _decision, seconds: self.later.append(seconds))
        return outcomes

    def holds_up(self, picture) -> None:
        """Show a code to the camera until it was looked at."""
        self.access.look(scene(picture))
        assert self.access.codes is not None
        self.access.codes.step()

    def set_pin(self, resident: str, number: str, pin: str, *, is_duress: bool = False) -> None:
        book = PinBook(file_key(self.folder / PIN_KEY_FILE)).with_pin(
            number, resident, pin, is_duress=is_duress
        )
        with closing(CredentialStore(self.folder / CREDENTIALS_FILE)) as store:
            for entry in book.entries:
                store.put_pin(PinRow(entry.number, entry.resident_id, entry.is_duress, entry.digest))


@pytest.fixture
def begin(tmp_path):
    with ExitStack() as stack:
        yield lambda *args, **more: Site(tmp_path, stack, *args, **more)


def test_the_key_of_these_tests_is_a_pair():
    assert base64.b64encode(pass_public_key(PRIVATE)).decode() == PUBLIC


def test_an_enrolled_resident_is_let_in_for_as_long_as_the_site_says(begin):
    site = begin()
    site.sees(grant("bert"))
    assert site.wire.history == ["journal access.granted granted", "unlock 20"]


def test_a_twin_s_face_waits_for_her_pin(begin):
    site = begin()
    site.set_pin("anna", "12", "483920")
    (outcome,) = site.sees(grant("anna"))
    assert outcome.decision.reason is Reason.SECOND_FACTOR_REQUIRED
    answer = site.rules.desk.type_pin("12", "483920")
    assert (answer.rights.allowed, answer.draft.data["method"]) == (True, "face+pin")


def test_a_pin_that_never_comes_is_written_down(begin):
    site = begin()
    site.sees(grant("anna"))
    site.clock.advance(30.0)
    site.access.tick()
    assert site.wire.history[-1] == "journal access.denied authentication_factor_timeout"


@pytest.mark.parametrize("way", ["card", "face"])
def test_of_who_came_in_meanwhile_no_pin_is_waited_for(begin, way):
    site = begin()
    with closing(CredentialStore(site.folder / CREDENTIALS_FILE)) as store:
        store.put_card("w26:17:4711", "bert")
    asked = replace(grant("bert"), verdict=Verdict.DENY, reason=Reason.SECOND_FACTOR_REQUIRED)
    site.sees(asked)
    if way == "card":
        site.access.present_card("w26:17:4711")
    else:
        site.sees(grant("bert"))
    assert site.wire.history[-1] == "unlock 20"
    written = list(site.wire.history)
    site.clock.advance(30.0)
    site.access.tick()
    assert site.wire.history == written


def test_strangers_before_the_camera_delay_no_resident(begin):
    site = begin()
    for _ in range(200):
        site.rules.policy.attempts.note(Reason.UNKNOWN_CREDENTIAL, "face")
    (outcome,) = site.sees(grant("bert"))
    assert outcome.decision.reason is Reason.GRANTED
    assert site.wire.history[-1] == "unlock 20"


def test_a_pass_before_the_camera_opens_once_even_across_a_restart(begin, tmp_path):
    site = begin()
    now = site.clock.now()
    host = Pass(b"x" * 8, "bert", now, now + timedelta(hours=1), door_marks=door_marks(["north"]))
    ids = iter(range(99))
    text = draw_readable(
        lambda: issue(replace(host, id=bytes([next(ids)] * 8)), PRIVATE),
        tmp_path / "pass.png",
    )
    site.sees()
    site.holds_up(tmp_path / "pass.png")
    assert site.wire.history == ["journal access.granted granted", "unlock 5"]

    again = begin()
    again.sees()
    again.holds_up(tmp_path / "pass.png")
    assert again.wire.history == ["journal access.denied credential_max_uses"]
    assert text.startswith("FG1:")


def scene(picture) -> Frame:
    image = np.full((720, 1280, 3), 90, np.uint8)
    code = cv2.imread(str(picture))
    assert code is not None
    image[100 : 100 + code.shape[0], 300 : 300 + code.shape[1]] = code
    return Frame(image, 0, 0.0, ManualClock().now())


def test_without_the_time_residents_come_home_and_cleaners_wait(begin):
    site = begin(synced=False)
    site.sees(grant("bert"), grant("carl"))
    assert site.wire.history == [
        "journal access.granted granted",
        "unlock 20",
        "journal access.denied clock_untrusted",
    ]


def test_a_clock_set_back_revives_nobody_and_keeps_the_floor(begin):
    site = begin()
    site.store.put(Resident("dora", "Dora", valid_until=site.clock.now() + timedelta(hours=1)), [])
    site.clock.advance(7200.0)
    site.access.tick()
    site.clock.step_wall(-86_400.0)
    site.access.tick()
    (outcome,) = site.sees(grant("dora"))
    assert outcome.decision.reason is Reason.CREDENTIAL_EXPIRED


def test_a_clock_set_ahead_is_not_believed_and_does_not_poison_the_floor(begin):
    site = begin()
    site.clock.step_wall(9e7)
    site.access.tick()
    (outcome,) = site.sees(grant("carl"))
    assert outcome.decision.reason is Reason.CLOCK_UNTRUSTED
    site.clock.step_wall(-9e7)
    site.access.tick()
    (outcome,) = site.sees(grant("carl"))
    assert outcome.decision.reason is Reason.GRANTED


def kept_floor(folder, at):
    write_kept(folder / "floor", KeptTime(at, held_seconds=7 * 86_400.0))


def test_a_wrong_answer_at_the_start_ends_when_the_right_one_comes(begin, tmp_path):
    kept_floor(tmp_path, ManualClock().now() - timedelta(hours=10))
    site = begin()
    site.sees()
    tenant = Resident("dora", "Dora", valid_until=site.clock.now() + timedelta(days=200))
    site.store.put(tenant, [])
    site.clock.step_wall(300 * 86_400.0)
    for _ in range(5):
        site.clock.advance(1.0)
        site.access.tick()
    (outcome,) = site.sees(grant("dora"))
    assert outcome.decision.verdict is Verdict.DENY
    site.clock.step_wall(-300 * 86_400.0)
    site.access.tick()
    (outcome,) = site.sees(grant("dora"))
    assert outcome.decision.reason is Reason.GRANTED
    assert site.wire.history.count("journal health.clock None") == 2


def test_what_the_property_signed_just_now_frees_a_poisoned_floor(begin, tmp_path):
    kept_floor(tmp_path, ManualClock().now() + timedelta(days=1000))
    site = begin()
    (outcome,) = site.sees(grant("carl"))
    assert outcome.decision.verdict is Verdict.DENY
    site.rules.note_signed_time(site.clock.now() + timedelta(days=2))
    site.access.tick()
    (outcome,) = site.sees(grant("carl"))
    assert outcome.decision.verdict is Verdict.DENY, "it does not agree with this clock"
    site.rules.note_signed_time(site.clock.now() + timedelta(seconds=5))
    site.access.tick()
    (outcome,) = site.sees(grant("carl"))
    assert outcome.decision.reason is Reason.GRANTED


def test_a_person_ends_the_doubt_about_a_clock(begin, tmp_path):
    kept_floor(tmp_path, ManualClock().now() + timedelta(days=1000))
    site = begin()
    (outcome,) = site.sees(grant("carl"))
    assert outcome.decision.verdict is Verdict.DENY
    site.rules.note_clock_is_right()
    site.access.tick()
    (outcome,) = site.sees(grant("carl"))
    assert outcome.decision.reason is Reason.GRANTED


def test_a_lock_down_outlives_a_restart(begin):
    site = begin()
    site.sees()
    site.rules.set_mode(ModeState(Mode.LOCKED_DOWN, by="staff"))
    again = begin()
    (outcome,) = again.sees(grant("bert"))
    assert outcome.decision.reason is Reason.THREAT_LEVEL
    again.rules.set_mode(None)
    (outcome,) = begin().sees(grant("bert"))
    assert outcome.decision.reason is Reason.GRANTED


class Cut(Wire):
    """A journal that the power leaves before it has the mode."""

    def append(self, draft: EventDraft):
        if draft.kind is Kind.DOOR_MODE:
            raise KeyboardInterrupt
        return super().append(draft)


def test_a_mode_that_the_power_cut_kept_from_the_journal_is_told_at_the_next_start(begin, tmp_path):
    """Once; and one that was told is not told again."""
    site = begin()
    time = TrustedTime(site.clock, tmp_path / "floor", lambda: True)
    events = written(Cut(), site.clock)
    with (
        closing(DoorRules(site.settings, tmp_path, site.clock, time, site.store, events)) as rules,
        pytest.raises(KeyboardInterrupt),
    ):
        rules.set_mode(ModeState(Mode.LOCKED_DOWN, by="staff"))
    for told in (1, 0):
        again = begin()
        for _ in range(3):
            again.rules.tick()
        modes = [draft for draft in again.wire.inner.drafts if draft.kind is Kind.DOOR_MODE]
        assert len(modes) == told
        assert all(draft.data["by"] == "staff" for draft in modes)
        assert again.rules.policy.modes.mode(again.clock.now()) is Mode.LOCKED_DOWN


class Interrupting(datetime):
    """The end of a mode during whose writing somebody else commands another one."""

    other: threading.Thread

    def isoformat(self, *args: Any, **kwargs: Any) -> str:
        if self.other.ident is None:
            self.other.start()
            self.other.join(0.2)  # it is done now, or waits for its turn
        return super().isoformat(*args, **kwargs)


def test_a_lock_down_commanded_during_another_mode_outlives_a_restart(begin):
    site = begin()
    until = Interrupting(2030, 1, 1, tzinfo=UTC)
    shut = ModeState(Mode.LOCKED_DOWN, by="staff")
    until.other = threading.Thread(target=site.rules.set_mode, args=(shut,))
    site.rules.set_mode(ModeState(Mode.UNLOCKED, until, by="caretaker"))
    until.other.join(PATIENCE)
    assert site.rules.policy.modes.mode(site.clock.now()) is Mode.LOCKED_DOWN
    assert begin().rules.policy.modes.mode(site.clock.now()) is Mode.LOCKED_DOWN


class Watching(datetime):
    """The end of a mode during whose writing the door goes on."""

    ticks: Callable[[], object]
    went_on = False

    def isoformat(self, *args: Any, **kwargs: Any) -> str:
        beside = threading.Thread(target=self.ticks, daemon=True)
        beside.start()
        beside.join(5)
        self.went_on = not beside.is_alive()
        return super().isoformat(*args, **kwargs)


def test_a_door_goes_on_while_a_mode_is_written_to_a_slow_card(begin):
    """The same thread keeps a held door unlocked."""
    site = begin()
    until = Watching(2030, 1, 1, tzinfo=UTC)
    until.ticks = site.rules.tick
    site.rules.set_mode(ModeState(Mode.UNLOCKED, until, by="caretaker"))
    assert until.went_on


def test_a_mode_file_that_cannot_be_read_is_no_reason_to_stay_down(tmp_path):
    for text in ("", "{}", "[]", '{"mode": "ajar", "until": null, "by": "x"}'):
        (tmp_path / "mode.json").write_text(text)
        assert ModeFile(tmp_path / "mode.json").load() is None


def test_a_held_door_is_unlocked_again_and_again_and_relocked_at_the_end(begin):
    site = begin()
    drafts: list[Any] = []
    hardware = DoorHardware(site.settings, site.clock, drafts.append, {})
    try:
        for is_held in (False, True, True, True, False, False):
            hardware.hold(is_held)
            site.clock.advance(1.0)
            hardware.step()
    finally:
        hardware.close()
    kinds = [draft.kind for draft in drafts]
    assert [kind for kind in kinds if kind.startswith("door.")] == ["door.held_unlocked", "door.mode_ended"]


@pytest.mark.parametrize("key", ["", "abc", "!!!!"])
def test_a_wrong_pass_key_stops_the_start(begin, key, tmp_path):
    site = begin()
    access = site.settings.access.model_copy(update={"pass_keys": (key,)})
    settings = site.settings.model_copy(update={"access": access})
    time = TrustedTime(site.clock, tmp_path / "floor", lambda: True)
    with pytest.raises(ConfigError, match="facegate pass key"):
        DoorRules(settings, tmp_path, site.clock, time, site.store, site.events)


@pytest.mark.parametrize(
    ("method", "named"), [("pin", "anna"), ("face+pin", "anna"), ("card", "anna"), ("face", None)]
)
def test_who_comes_in_by_another_way_than_the_face_is_named_to_who_looks(begin, method, named):
    site = begin()
    told: list[tuple[float, float, str | None]] = []
    site.events.subscribe(gate_listener(SimpleNamespace(note_unlocked=lambda *one: told.append(one))))
    facts = EntryFacts(method, 5.0).stored()
    site.events.record(EventDraft.now(site.clock, Kind.ACCESS_GRANTED, facts, resident_id="anna"))
    assert told == [(site.clock.monotonic(), 5.0, named)]


def test_a_door_that_falls_shut_is_told_to_who_looks_for_those_still_there(begin):
    site = begin()
    closed: list[float] = []
    site.events.subscribe(gate_listener(SimpleNamespace(note_closed=closed.append)))
    site.clock.advance(7.0)
    site.events.record(EventDraft.now(site.clock, Kind.DOOR_OPENED))
    assert closed == []
    site.events.record(EventDraft.now(site.clock, Kind.DOOR_CLOSED))
    assert closed == [site.clock.monotonic()]
