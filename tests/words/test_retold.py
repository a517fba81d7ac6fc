"""What a door says of a command in English is found again as a message, whatever fills its gaps."""

from __future__ import annotations

import pytest
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.reasoncodes import ReasonCode

from edge.broker.causes import reason_of
from edge.policy.modes import Mode
from edge.relay.door import Alarm
from edge.words import LANGUAGES, Message, catalogue, gaps, message, say
from edge.words.retold import ALARMS, BEGINNINGS, LINK, MODES, PARTS, RIGHTS, SENTENCES, told_of
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


OF_LINKS = [
    name for name in catalogue(LANGUAGES[0]).texts if name.startswith((*PARTS.values(), "door_problem."))
]
LINKED = {
    "cause": "link_cause.closed",
    "reason": "link_reason.not_authorized",
    "remedy": "link_remedy.clock",
    "link": "link.unconfirmed",
}


@pytest.mark.parametrize("name", OF_LINKS)
def test_what_a_link_says_is_found_with_its_cause_and_the_brokers_reason(name):
    """Sentence in sentence: in the reader's language to the last word, but for addresses and files."""
    values = {gap: message(LINKED[gap]) if gap in LINKED else f"a-{gap}" for gap in gaps(name)}
    beginning = name.partition(".")[0] + "."
    assert told_of(say(name, **values), beginning) == Message(name, values)


def test_a_brokers_reason_that_nobody_knows_stands_as_it_is():
    """As raw text within the sentence."""
    told = told_of("hub:8883: connection ended: Tea time", LINK)
    assert isinstance(told, Message)
    assert told.said("zh") == "hub:8883：连接已结束：Tea time"


def test_every_reason_that_ends_a_connection_has_words():
    """Those of CONNACK and DISCONNECT, as the library calls them (MQTT 5, 2.4)."""
    packets = {PacketTypes.CONNACK, PacketTypes.DISCONNECT}
    known = ReasonCode(PacketTypes.CONNACK).names
    said = {
        name
        for number, names in known.items()
        for name, where in names.items()
        if number >= 0x80 and packets & set(where)
    }
    assert len(said) > 20
    assert {name for name in said if isinstance(reason_of(name), str)} <= TECHNICAL


TECHNICAL = {
    "Shared subscription not supported",
    "Subscription identifiers not supported",
    "Wildcard subscription not supported",
    "Topic alias invalid",
}
"""What no broker says to us: we ask for nothing of the kind."""
