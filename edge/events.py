"""Every kind of event a door can write, and what is true of each: one table that everybody reads.

A new kind is one member of `Kind` with its line in `KINDS`, and its words for people
(`event.<kind>` in `edge/words`); tests fail while one of them is missing. Imports nothing, so that
the relay guard may use it. On disk and on the wire a kind is its text, and text that this version
does not know stays readable: ask `facts_of`.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


class Kind(StrEnum):
    """What happened. The text is what the journal stores and what travels; it never changes."""

    ACCESS_GRANTED = "access.granted"
    ACCESS_DENIED = "access.denied"
    ACCESS_PASSBACK = "access.passback"
    ACCESS_ATTEMPTS = "access.attempts"
    ACCESS_BUDGET = "access.budget"
    ACCESS_COMPANY = "access.company"
    ACCESS_SCENERY = "access.scenery"
    ACCESS_LIVENESS_PAUSED = "access.liveness_paused"
    ACCESS_LIVENESS_RESUMED = "access.liveness_resumed"
    ACCESS_LIVENESS_ALARM = "access.liveness_alarm"
    ALARM_DURESS = "alarm.duress"

    DOOR_OPENED = "door.opened"
    DOOR_CLOSED = "door.closed"
    DOOR_FOUND_OPEN = "door.found_open"
    DOOR_FORCED = "door.forced"
    DOOR_HELD_WARNING = "door.held_warning"
    DOOR_HELD = "door.held"
    DOOR_HELD_REPEAT = "door.held_repeat"
    DOOR_MODE = "door.mode"
    DOOR_HELD_UNLOCKED = "door.held_unlocked"
    DOOR_MODE_ENDED = "door.mode_ended"
    COMMISSIONING_STEP = "commissioning.step"
    DOOR_TAMPER = "door.tamper"
    DOOR_TAMPER_CLEARED = "door.tamper_cleared"
    DOOR_FAULT = "door.fault"
    DOOR_FAULT_CLEARED = "door.fault_cleared"
    DOOR_FIRE_ALARM = "door.fire_alarm"
    DOOR_FIRE_ALARM_CLEARED = "door.fire_alarm_cleared"
    DOOR_ACKNOWLEDGED = "door.acknowledged"
    DOOR_NO_ENTRY_AFTER_GRANTED = "door.no_entry_after_granted"
    DOOR_BELL = "door.bell"
    DOOR_REX = "door.rex"
    LOCK_GUARD_LOST = "lock.guard_lost"
    LOCK_GUARD_BACK = "lock.guard_back"
    LOCK_UNLOCK_FAILED = "lock.unlock_failed"

    ENROL_OPENED = "enrol.opened"
    ENROL_WINDOW_OPENED = "enrol.window_opened"
    ENROL_WINDOW_CLOSED = "enrol.window_closed"
    ENROL_REFUSED = "enrol.refused"
    ENROL_SAVED = "enrol.saved"
    ENROL_DROPPED = "enrol.dropped"
    RESIDENT_ADDED = "resident.added"
    RESIDENT_CHANGED = "resident.changed"
    RESIDENT_IMPORTED = "resident.imported"
    RESIDENT_EXPORTED = "resident.exported"
    RESIDENT_REMOVED = "resident.removed"
    RESIDENT_RENUMBERED = "resident.renumbered"
    EVENTS_EXPORTED = "events.exported"
    CREDENTIAL_GIVEN = "credential.given"
    CREDENTIAL_REMOVED = "credential.removed"
    INVITE_MADE = "invite.made"
    CONSENT_RECORDED = "consent.recorded"
    CONSENT_WITHDRAWN = "consent.withdrawn"
    CONSENT_ENDED = "consent.ended"
    FACE_ERASED = "face.erased"
    FACE_OFFERED = "face.offered"
    FACE_RECEIVED = "face.received"
    FACE_NOT_TAKEN = "face.not_taken"
    FACE_ERASED_EVERYWHERE = "face.erased_everywhere"
    SHARING_DOORS = "sharing.doors"
    ROSTER_CHANGED = "roster.changed"
    ROSTER_REFUSED = "roster.refused"

    PANEL_CLAIMED = "panel.claimed"
    PANEL_LOGIN = "panel.login"
    PANEL_LOGIN_FAILED = "panel.login_failed"
    PANEL_ACCOUNT_CHANGED = "panel.account_changed"
    PANEL_ACCOUNT_REMOVED = "panel.account_removed"
    PANEL_DOOR_TEST = "panel.door_test"
    PANEL_REFUSED = "panel.refused"
    PANEL_FAILED = "panel.failed"
    PANEL_BACKUP = "panel.backup"
    PANEL_NOTICE_CHANGED = "panel.notice_changed"
    PANEL_RULES_CHANGED = "panel.rules_changed"
    SERVICE_DONE = "service.done"
    COMMAND_TAKEN = "command.taken"
    COMMAND_DONE = "command.done"
    COMMAND_FAILED = "command.failed"
    COMMAND_REFUSED = "command.refused"
    CONFIG_REFUSED = "config.refused"
    NOTICE_SET = "notice.set"
    NOTICE_REFUSED = "notice.refused"
    PASSES_ENDED = "passes.ended"
    PASSES_REFUSED = "passes.refused"
    WAYS_REFUSED = "ways.refused"
    RULES_TAKEN = "rules.taken"
    RULES_REFUSED = "rules.refused"

    HEALTH_LOCK = "health.lock"
    HEALTH_CAMERA = "health.camera"
    HEALTH_FRAME = "health.frame"
    HEALTH_PICTURE = "health.picture"
    HEALTH_READER = "health.reader"
    HEALTH_JOURNAL = "health.journal"
    HEALTH_CONSENT = "health.consent"
    HEALTH_PANEL = "health.panel"
    HEALTH_ROSTER = "health.roster"
    HEALTH_RESIDENTS = "health.residents"
    HEALTH_CREDENTIALS = "health.credentials"
    HEALTH_EDITED = "health.edited"
    HEALTH_STORAGE = "health.storage"
    HEALTH_GALLERY = "health.gallery"
    HEALTH_LIVENESS = "health.liveness"
    HEALTH_CLOCK = "health.clock"
    CLOCK_CONFIRMED = "clock.confirmed"
    HEALTH_RESTARTS = "health.restarts"
    HEALTH_SYNC = "health.sync"
    HEALTH_SHARING = "health.sharing"
    JOURNAL_QUARANTINED = "journal.quarantined"
    JOURNAL_DAMAGED = "journal.damaged"
    JOURNAL_RELIEVED = "journal.relieved"
    JOURNAL_LATE = "journal.late"
    JOURNAL_RESTORED = "journal.restored"
    SERVICE_STARTED = "service.started"
    SERVICE_STOPPED = "service.stopped"


class EventGroup(StrEnum):
    """Where a page files an event."""

    ENTRIES = "entries"
    DOOR = "door"
    PEOPLE = "people"
    PANEL = "panel"
    HEALTH = "health"


class Tone(StrEnum):
    """How a page shows an event."""

    ALARM = "alarm"
    """Somebody should look at once."""
    BAD = "bad"
    PLAIN = "plain"
    GOOD = "good"


class Keep(StrEnum):
    """What becomes of an event while the journal cannot be written and memory is full."""

    ALWAYS = "always"
    """Kept one by one, whatever it costs: entries, alarms, what was done to people's data."""
    COUNTED = "counted"
    """Anybody can cause any number of these: alike ones become one event that says how many."""


@dataclass(frozen=True, slots=True)
class KindFacts:
    """What is true of a kind. `group` is None only for kinds of another version.

    `is_silent`: nothing at the door, no page for now, no metric and no home automation may show it
    (duress). `for_home` and `for_display`: Home Assistant and the display at the gate are told.
    `well_states`: values of `data["state"]` that mean all is well again; the tone is then good.
    """

    group: EventGroup | None
    tone: Tone = Tone.PLAIN
    keep: Keep = Keep.ALWAYS
    is_silent: bool = False
    for_home: bool = False
    for_display: bool = False
    well_states: frozenset[str] = frozenset()


WELL = frozenset({"ok", "back"})
"""The states in which whatever reports `health.camera`, `.reader`, `.roster` or `.consent` works."""

_ENTRIES, _DOOR, _PEOPLE, _PANEL, _HEALTH = EventGroup
_ALARM, _BAD, _PLAIN, _GOOD = Tone
_K, _F = Kind, KindFacts

KINDS: Mapping[Kind, KindFacts] = MappingProxyType(
    {
        _K.ACCESS_GRANTED: _F(_ENTRIES, _GOOD, for_home=True),
        _K.ACCESS_DENIED: _F(_ENTRIES, _BAD, Keep.COUNTED, for_home=True),
        _K.ACCESS_PASSBACK: _F(_ENTRIES, _BAD, Keep.COUNTED),
        _K.ACCESS_ATTEMPTS: _F(_ENTRIES, _ALARM),
        _K.ACCESS_COMPANY: _F(_ENTRIES, _BAD, Keep.COUNTED),
        _K.ACCESS_BUDGET: _F(_ENTRIES, _ALARM),
        _K.ACCESS_SCENERY: _F(_ENTRIES, _ALARM),
        _K.ACCESS_LIVENESS_PAUSED: _F(_ENTRIES, _BAD, Keep.COUNTED),
        _K.ACCESS_LIVENESS_RESUMED: _F(_ENTRIES, keep=Keep.COUNTED),
        _K.ACCESS_LIVENESS_ALARM: _F(_ENTRIES, _ALARM),
        _K.ALARM_DURESS: _F(_ENTRIES, _ALARM, is_silent=True),
        _K.DOOR_OPENED: _F(_DOOR, keep=Keep.COUNTED, for_home=True),
        _K.DOOR_CLOSED: _F(_DOOR, keep=Keep.COUNTED, for_home=True),
        _K.DOOR_FOUND_OPEN: _F(_DOOR, _BAD),
        _K.DOOR_FORCED: _F(_DOOR, _ALARM, for_home=True),
        _K.DOOR_HELD_WARNING: _F(_DOOR, _BAD, Keep.COUNTED),
        _K.DOOR_HELD: _F(_DOOR, _ALARM, for_home=True),
        _K.DOOR_HELD_REPEAT: _F(_DOOR, _ALARM),
        _K.DOOR_MODE: _F(_DOOR),
        _K.DOOR_HELD_UNLOCKED: _F(_DOOR),
        _K.DOOR_MODE_ENDED: _F(_DOOR),
        _K.COMMISSIONING_STEP: _F(_DOOR, _BAD, well_states=WELL),
        _K.DOOR_TAMPER: _F(_DOOR, _ALARM),
        _K.DOOR_TAMPER_CLEARED: _F(_DOOR, _GOOD),
        _K.DOOR_FAULT: _F(_DOOR, _ALARM),
        _K.DOOR_FAULT_CLEARED: _F(_DOOR, _GOOD),
        _K.DOOR_FIRE_ALARM: _F(_DOOR, _ALARM),
        _K.DOOR_FIRE_ALARM_CLEARED: _F(_DOOR, _GOOD),
        _K.DOOR_ACKNOWLEDGED: _F(_DOOR),
        _K.DOOR_NO_ENTRY_AFTER_GRANTED: _F(_DOOR, keep=Keep.COUNTED, for_home=True),
        _K.DOOR_BELL: _F(_DOOR, keep=Keep.COUNTED, for_home=True, for_display=True),
        _K.DOOR_REX: _F(_DOOR, keep=Keep.COUNTED),
        _K.LOCK_GUARD_LOST: _F(_DOOR, _ALARM),
        _K.LOCK_GUARD_BACK: _F(_DOOR, _GOOD),
        _K.LOCK_UNLOCK_FAILED: _F(_DOOR, _ALARM, for_display=True),
        _K.ENROL_OPENED: _F(_PEOPLE),
        _K.ENROL_WINDOW_OPENED: _F(_PEOPLE),
        _K.ENROL_WINDOW_CLOSED: _F(_PEOPLE),
        _K.ENROL_REFUSED: _F(_PEOPLE, _BAD, Keep.COUNTED),
        _K.ENROL_SAVED: _F(_PEOPLE, _GOOD),
        _K.ENROL_DROPPED: _F(_PEOPLE),
        _K.RESIDENT_ADDED: _F(_PEOPLE),
        _K.RESIDENT_CHANGED: _F(_PEOPLE),
        _K.RESIDENT_IMPORTED: _F(_PEOPLE),
        _K.RESIDENT_EXPORTED: _F(_PEOPLE),
        _K.EVENTS_EXPORTED: _F(_PEOPLE),
        _K.RESIDENT_REMOVED: _F(_PEOPLE),
        _K.RESIDENT_RENUMBERED: _F(_PEOPLE),
        _K.CREDENTIAL_GIVEN: _F(_PEOPLE),
        _K.CREDENTIAL_REMOVED: _F(_PEOPLE),
        _K.INVITE_MADE: _F(_PEOPLE),
        _K.CONSENT_RECORDED: _F(_PEOPLE),
        _K.CONSENT_WITHDRAWN: _F(_PEOPLE),
        _K.CONSENT_ENDED: _F(_PEOPLE),
        _K.FACE_ERASED: _F(_PEOPLE),
        _K.FACE_OFFERED: _F(_PEOPLE),
        _K.FACE_RECEIVED: _F(_PEOPLE, _GOOD),
        _K.FACE_NOT_TAKEN: _F(_PEOPLE, _BAD, Keep.COUNTED),
        _K.FACE_ERASED_EVERYWHERE: _F(_PEOPLE),
        _K.SHARING_DOORS: _F(_PEOPLE),
        _K.ROSTER_CHANGED: _F(_PEOPLE),
        _K.ROSTER_REFUSED: _F(_PEOPLE, _BAD, Keep.COUNTED),
        _K.PANEL_CLAIMED: _F(_PANEL),
        _K.PANEL_LOGIN: _F(_PANEL),
        _K.PANEL_LOGIN_FAILED: _F(_PANEL, _BAD, Keep.COUNTED),
        _K.PANEL_ACCOUNT_CHANGED: _F(_PANEL),
        _K.PANEL_ACCOUNT_REMOVED: _F(_PANEL),
        _K.PANEL_DOOR_TEST: _F(_PANEL),
        _K.PANEL_REFUSED: _F(_PANEL, _BAD, Keep.COUNTED),
        _K.PANEL_FAILED: _F(_PANEL, _BAD),
        _K.PANEL_BACKUP: _F(_PANEL),
        _K.PANEL_NOTICE_CHANGED: _F(_PANEL),
        _K.PANEL_RULES_CHANGED: _F(_PANEL),
        _K.SERVICE_DONE: _F(_PANEL, _GOOD),
        _K.COMMAND_TAKEN: _F(_PANEL),
        _K.COMMAND_DONE: _F(_PANEL, _GOOD),
        _K.COMMAND_FAILED: _F(_PANEL, _BAD),
        _K.COMMAND_REFUSED: _F(_PANEL, _BAD, Keep.COUNTED),
        _K.CONFIG_REFUSED: _F(_PANEL, _BAD, Keep.COUNTED),
        _K.NOTICE_SET: _F(_PANEL),
        _K.NOTICE_REFUSED: _F(_PANEL, _BAD, Keep.COUNTED),
        _K.PASSES_ENDED: _F(_PANEL),
        _K.PASSES_REFUSED: _F(_PANEL, _BAD, Keep.COUNTED),
        _K.WAYS_REFUSED: _F(_PANEL, _BAD, Keep.COUNTED),
        _K.RULES_TAKEN: _F(_PANEL),
        _K.RULES_REFUSED: _F(_PANEL, _BAD, Keep.COUNTED),
        _K.HEALTH_LOCK: _F(_HEALTH, _ALARM),
        _K.HEALTH_CAMERA: _F(_HEALTH, _BAD, Keep.COUNTED, for_display=True, well_states=WELL),
        _K.HEALTH_FRAME: _F(_HEALTH, _BAD, Keep.COUNTED),
        _K.HEALTH_PICTURE: _F(_HEALTH, _BAD, Keep.COUNTED, well_states=WELL),
        _K.HEALTH_READER: _F(_HEALTH, _BAD, Keep.COUNTED, well_states=WELL),
        _K.HEALTH_JOURNAL: _F(_HEALTH, _BAD),
        _K.HEALTH_CONSENT: _F(_HEALTH, _BAD, well_states=WELL),
        _K.HEALTH_PANEL: _F(_HEALTH, _BAD, Keep.COUNTED),
        _K.HEALTH_ROSTER: _F(_HEALTH, _BAD, well_states=WELL),
        _K.HEALTH_RESIDENTS: _F(_HEALTH, _ALARM),
        _K.HEALTH_CREDENTIALS: _F(_HEALTH, _ALARM, well_states=WELL),
        _K.HEALTH_EDITED: _F(_HEALTH, _ALARM, well_states=WELL),
        _K.HEALTH_STORAGE: _F(_HEALTH, _ALARM, well_states=WELL),
        _K.HEALTH_GALLERY: _F(_HEALTH, _BAD, well_states=WELL),
        _K.HEALTH_LIVENESS: _F(_HEALTH, _BAD),
        _K.HEALTH_CLOCK: _F(_HEALTH, _BAD, well_states=WELL),
        _K.CLOCK_CONFIRMED: _F(_HEALTH),
        _K.HEALTH_RESTARTS: _F(_HEALTH, _BAD),
        _K.HEALTH_SYNC: _F(_HEALTH, _BAD, Keep.COUNTED),
        _K.HEALTH_SHARING: _F(_HEALTH, _BAD, Keep.COUNTED, well_states=WELL),
        _K.JOURNAL_QUARANTINED: _F(_HEALTH, _ALARM),
        _K.JOURNAL_DAMAGED: _F(_HEALTH, _ALARM),
        _K.JOURNAL_RELIEVED: _F(_HEALTH, _BAD),
        _K.JOURNAL_LATE: _F(_HEALTH, _BAD),
        _K.JOURNAL_RESTORED: _F(_HEALTH),
        _K.SERVICE_STARTED: _F(_HEALTH),
        _K.SERVICE_STOPPED: _F(_HEALTH),
    }
)

OF_ANOTHER_VERSION = KindFacts(group=None)
SILENT_OF_ANOTHER_VERSION = KindFacts(group=None, tone=Tone.ALARM, is_silent=True)


def facts_of(kind: str) -> KindFacts:
    """Return what is true of a kind as it was read from a journal or a message.

    A kind of another version has no group and a plain tone. Should its name begin with `alarm.`, as
    silent alarms do, it is treated as one: better seen an hour late than by the wrong person.
    """
    if kind in set(Kind):
        return KINDS[Kind(kind)]
    return SILENT_OF_ANOTHER_VERSION if kind.startswith("alarm.") else OF_ANOTHER_VERSION


def tone_of(kind: str, state: object = None) -> Tone:
    """Return how to show an event of this kind whose `data["state"]` is `state`."""
    facts = facts_of(kind)
    return Tone.GOOD if isinstance(state, str) and state in facts.well_states else facts.tone
