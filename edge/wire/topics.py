"""Every topic of a door: who sends it, what it carries, what keeps it from being forged."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias

from edge.wire import commands, configuration, ended_passes, given_ways, notices, rules
from edge.wire import roster as roster_messages
from edge.wire.asks import AskAnswer, ProgramAsk
from edge.wire.envelope import EVENTS
from edge.wire.faces import letters
from edge.wire.faces.door_list import SIGNED_LIST
from edge.wire.home_assistant import ENTITY, PREFIX
from edge.wire.messages import Availability, CommandAnswer, EventAck
from edge.wire.names import ANSWER, APP, ASK, DEVICE_ID, ROOT
from edge.wire.state import STATE

if TYPE_CHECKING:
    from collections.abc import Mapping

    from edge.wire.shapes import Shape

Sender: TypeAlias = Literal["door", "property", "integration"]


@dataclass(frozen=True, slots=True)
class Topic:
    """One topic. `address` names its changing levels in braces.

    `purpose` is set when the payload is signed: then `shape` is that of the signed bytes.
    """

    name: str
    address: str
    sender: Sender
    shape: Shape
    summary: str
    is_retained: bool = False
    purpose: str | None = None


# Levels in braces of the addresses: what they are, and the pattern of their values.
PARAMETERS: Mapping[str, tuple[str, str]] = {
    "device": ("the door's id and the common name of its certificate", DEVICE_ID.pattern),
    "rev": ("the roster revision that the snapshot makes", "[0-9]{1,16}"),
    "part": ("number of the part, from 1", "[1-9][0-9]{0,2}"),
    "number": ("number of the letter at the hub", "[1-9][0-9]{0,15}"),
    "integration": ("the name it was provisioned under; its certificate says app.<name>", APP.pattern[5:]),
    "component": ("what Home Assistant calls the kind of entity", "[a-z_]+"),
    "node": ("the door, as Home Assistant allows it in topics", "[A-Za-z0-9_-]+"),
    "object": ("the entity", "[a-z_]+"),
}
"""What stands in braces: its meaning, and the pattern it matches."""


def _of_door(name: str, path: str, sender: Sender, shape: Shape, summary: str) -> Topic:
    return Topic(name, f"{ROOT}/{{device}}/{path}", sender, shape, summary)


def _kept(name: str, path: str, shape: Shape, summary: str) -> Topic:
    return Topic(name, f"{ROOT}/{{device}}/{path}", "door", shape, summary, is_retained=True)


def _signed(name: str, path: str, shape: Shape, summary: str, purpose: str, *, kept: bool = False) -> Topic:
    return Topic(name, f"{ROOT}/{{device}}/{path}", "property", shape, summary, kept, purpose)


TOPICS = (
    _kept("availability", "avail", Availability.SHAPE, "Whether the door is there; also its last will."),
    _kept("state", "state", STATE, "How the door is; on change and every 60 s."),
    _of_door("events", "evt", "door", EVENTS, "One event, or several in order; sent until acknowledged."),
    _of_door(
        "eventAcknowledgement", "evt/ack", "property", EventAck.SHAPE, "Stored without a gap up to here."
    ),
    _signed("command", "cmd", commands.COMMAND, "A wish; at most once, never retained.", commands.PURPOSE),
    _of_door("answer", "cmd/ack", "door", CommandAnswer.SHAPE, "What physically came of a command."),
    _signed(
        "rosterHead",
        "sync/head",
        roster_messages.Head.SHAPE,
        "Where the property's roster is.",
        roster_messages.HEAD,
        kept=True,
    ),
    _of_door("rosterQuestion", "sync/req", "door", roster_messages.Question.SHAPE, "What the door lacks."),
    _signed(
        "rosterDelta",
        "sync/delta",
        roster_messages.Delta.SHAPE,
        "Changes from one revision to another; all of them or none.",
        roster_messages.DELTA,
    ),
    _signed(
        "rosterConfirmed",
        "sync/confirmed",
        roster_messages.Confirmation.SHAPE,
        "Where the property's roster is, in answer to the nonce of the door's question.",
        roster_messages.CONFIRMED,
    ),
    _signed(
        "rosterSnapshot",
        "sync/snap/{rev}/0",
        roster_messages.SnapshotManifest.SHAPE,
        "What a snapshot consists of. Whoever is not in it is erased.",
        roster_messages.SNAPSHOT,
    ),
    _of_door(
        "rosterSnapshotPart",
        "sync/snap/{rev}/{part}",
        "property",
        roster_messages.PART,
        "Records of a snapshot; its SHA-256 stands in the signed manifest.",
    ),
    _signed(
        "desiredConfiguration",
        "cfg/desired",
        configuration.DESIRED,
        "Settings the property wants.",
        configuration.PURPOSE,
        kept=True,
    ),
    _kept(
        "reportedConfiguration", "cfg/reported", configuration.REPORTED, "Settings that count at the door."
    ),
    _signed(
        "desiredRules",
        "rules/desired",
        rules.DESIRED_RULES,
        "Access rules the property wants.",
        rules.PURPOSE,
        kept=True,
    ),
    _kept("reportedRules", "rules/reported", rules.REPORTED_RULES, "Access rules that count at the door."),
    _signed(
        "notice",
        "notice",
        notices.NOTICES,
        "What the display is to say, and the head of the community's book.",
        notices.PURPOSE,
        kept=True,
    ),
    _signed(
        "passesEnded",
        "pass/ended",
        ended_passes.PASS_ENDS,
        "Visitor passes that open this door no more, until the end they had.",
        ended_passes.PURPOSE,
        kept=True,
    ),
    _of_door(
        "waysQuestion",
        "ways/ask",
        "door",
        given_ways.WAYS_ASK,
        "Which PINs and cards there are; with a proof.",
    ),
    _signed(
        "waysGiven",
        "ways/in",
        given_ways.GIVEN,
        "PINs and cards in answer to the nonce of the door's question, each sealed for this door alone.",
        given_ways.PURPOSE,
    ),
    Topic(
        "faceLetter",
        f"{ROOT}/{{device}}/face/out",
        "door",
        letters.LETTER,
        "A letter to other doors, signed by this one. A face in it is sealed for them; the hub opens none.",
        purpose=letters.PURPOSE,
    ),
    Topic(
        "faceDelivery",
        f"{ROOT}/{{device}}/face/in/{{number}}",
        "property",
        letters.LETTER,
        "A letter of another door, as that one signed it; sent again until it is taken.",
        purpose=letters.PURPOSE,
    ),
    _of_door("faceTaken", "face/taken", "door", letters.TAKEN, "Letters that the door has taken."),
    Topic(
        "faceDoors",
        f"{ROOT}/{{device}}/face/doors",
        "property",
        SIGNED_LIST,
        "The doors that share faces, signed by the site's offline authority.",
        is_retained=True,
    ),
    Topic(
        "ask",
        f"{ROOT}/{ASK}/{{integration}}",
        "integration",
        ProgramAsk.SHAPE,
        "What another program asks; refused when retained, not of now, or not granted.",
    ),
    Topic(
        "askAnswer",
        f"{ROOT}/{ANSWER}/{{integration}}",
        "property",
        AskAnswer.SHAPE,
        "What became of it, with the physical outcome.",
    ),
    Topic(
        "homeAssistantDiscovery",
        f"{PREFIX}/{{component}}/{{node}}/{{object}}/config",
        "door",
        ENTITY,
        "Only with home_assistant = true. Tells Home Assistant about the door; see its documentation.",
        is_retained=True,
    ),
)
