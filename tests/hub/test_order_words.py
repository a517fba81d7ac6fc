"""What a door says of a command in English is found again as a message, whatever fills its gaps."""

from __future__ import annotations

import pytest

from edge.policy.modes import Mode
from edge.relay.door import Alarm
from edge.words import LANGUAGES, Message, catalogue, gaps, message, say
from facegate_hub.order_words import ALARMS, BEGINNINGS, MODES, RIGHTS, SENTENCES, told_of
from facegate_hub.signer.rights import Permission

OURS = [
    name
    for name in catalogue(LANGUAGES[0]).texts
    if name.startswith(BEGINNINGS) and not name.startswith((MODES, RIGHTS))
]
FILLED = {"mode": "order.mode.locked_down", "right": "signer.right.unlock"}


def filled(name):
    """Return the sentence with something in each gap, another sentence where one goes; and its English."""
    values = {
        gap: message(FILLED.get(gap, "signer.at_site")) if gap in SENTENCES else f"a {gap}: of, some"
        for gap in gaps(name)
    }
    if ALARMS not in values:
        return Message(name, values), say(name, **values)
    return Message(name, {ALARMS: [message("value.alarm.tamper")]}), say(name, **{ALARMS: ["tamper"]})


@pytest.mark.parametrize("name", OURS)
def test_a_sentence_is_found_with_what_fills_it(name):
    wanted, english = filled(name)
    assert told_of(english) == wanted


@pytest.mark.parametrize("language", LANGUAGES)
def test_modes_rights_and_alarms_have_words(language):
    for mode in Mode:
        assert say(f"order.mode.{mode}", language)
    for right in Permission:
        assert say(f"signer.right.{right}", language)
    for alarm in Alarm:
        told = told_of(say("order.acknowledged", alarms=[str(alarm)]))
        assert isinstance(told, Message)
        assert "acknowledged: " in told.said()


def test_what_a_door_of_another_version_says_stands_as_it_is():
    assert told_of("opened by magic") == "opened by magic"
    assert told_of("order: " + "x" * 10_000) == "order: " + "x" * 10_000
