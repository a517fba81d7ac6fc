"""One table of event kinds: complete, used, and the only place where their names are written."""

from __future__ import annotations

import ast
from functools import cache
from pathlib import Path

import pytest

import edge
from edge.events import KINDS, EventGroup, Keep, Kind, Tone, facts_of, tone_of
from edge.words import LANGUAGES, has, names, say

SOURCE = Path(edge.__file__).parent
TABLES = {SOURCE / "events.py", SOURCE / "policy" / "reasons.py"}

ALARMS = {
    Kind.ALARM_DURESS,
    Kind.ACCESS_ATTEMPTS,
    Kind.DOOR_FORCED,
    Kind.DOOR_HELD,
    Kind.DOOR_HELD_REPEAT,
    Kind.DOOR_TAMPER,
    Kind.DOOR_FAULT,
    Kind.DOOR_FIRE_ALARM,
    Kind.LOCK_GUARD_LOST,
    Kind.LOCK_UNLOCK_FAILED,
    Kind.HEALTH_LOCK,
    Kind.HEALTH_RESIDENTS,
    Kind.JOURNAL_QUARANTINED,
}


@cache
def trees() -> tuple[ast.Module, ...]:
    return tuple(
        ast.parse(path.read_text(encoding="utf-8")) for path in SOURCE.rglob("*.py") if path not in TABLES
    )


@pytest.mark.parametrize("kind", Kind)
def test_every_kind_has_facts_and_words(kind: Kind):
    assert isinstance(KINDS[kind].group, EventGroup)
    assert KINDS[kind].tone in Tone
    assert has(f"event.{kind}")


def test_no_two_kinds_are_told_alike():
    assert set(names("event.")) == set(Kind)
    for language in LANGUAGES:
        assert len({say(f"event.{kind}", language) for kind in Kind}) == len(Kind)


def test_what_somebody_must_look_at_is_an_alarm():
    """A fire alarm, a lost relay guard and a quarantined journal were once shown as harmless."""
    assert {kind for kind, facts in KINDS.items() if facts.tone is Tone.ALARM} >= ALARMS


@pytest.mark.parametrize("kind", [kind for kind in Kind if KINDS[kind].is_silent])
def test_a_silent_alarm_is_shown_nowhere_and_never_dropped(kind: Kind):
    facts = KINDS[kind]
    assert (facts.for_home, facts.for_display, facts.keep) == (False, False, Keep.ALWAYS)


def test_grants_and_alarms_are_always_kept():
    alarms = [facts for facts in KINDS.values() if facts.tone is Tone.ALARM]
    assert KINDS[Kind.ACCESS_GRANTED].keep is Keep.ALWAYS
    assert {facts.keep for facts in alarms} == {Keep.ALWAYS}


def test_the_end_of_a_trouble_is_good_news():
    assert tone_of("health.camera", "lost") is Tone.BAD
    assert tone_of("health.camera", "back") is Tone.GOOD
    assert tone_of("door.forced", "ok") is Tone.ALARM, "only kinds that report a state end by one"


@pytest.mark.parametrize("kind", [kind for kind in Kind if facts_of(kind).well_states])
def test_the_end_of_a_trouble_is_told_in_a_sentence_of_its_own(kind: Kind):
    """A title of a kind that begins and ends would say both at once."""
    assert any(has(f"tell.{kind}.{state}") for state in facts_of(kind).well_states)


def test_kinds_are_named_in_one_place_only():
    """Everybody else says `Kind.DOOR_FORCED`: a misspelt kind does not pass the type checker."""
    kinds = set(map(str, Kind))
    literals = {
        node.value
        for tree in trees()
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }
    assert not literals & kinds


def test_every_kind_is_written_or_read_by_somebody():
    used = {
        node.attr
        for tree in trees()
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "Kind"
    }
    assert {kind.name for kind in Kind} <= used


def test_a_kind_of_another_version_stays_readable():
    assert facts_of("lift.called").group is None
    assert (tone_of("lift.called"), facts_of("lift.called").is_silent) == (Tone.PLAIN, False)


def test_an_alarm_of_another_version_is_taken_for_a_silent_one():
    assert facts_of("alarm.coercion").is_silent
