"""Plays scenes to a whole door and holds what it did against what was right."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from edge.domain import Reason, Verdict
from edge.events import Kind
from edge.replay.door import MemoryJournal, ReplayDoor

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from edge.bench.gate.scenes import Play
    from edge.domain import Decision
    from edge.replay.door import Recognition

ACCUSING = frozenset({Reason.PRESENTATION_ATTACK, Reason.CHALLENGE_FAILED})
STRANGE = frozenset({Reason.UNKNOWN_CREDENTIAL, Reason.AMBIGUOUS_MATCH})
PAUSES = frozenset({Reason.LOCKOUT_MAX_ATTEMPTS, Reason.CREDENTIAL_LOCKOUT})


@dataclass(frozen=True, slots=True)
class Result:
    """What became of one scene. Times in seconds, CPU in milliseconds a frame."""

    name: str
    expected: int
    waits: dict[str, float]
    missed: tuple[str, ...]
    twice: int
    wrong: tuple[str, ...]
    accused: int
    paused: int
    refusals: dict[str, int]
    notices: tuple[str, ...]
    cpu_ms: float
    faults: tuple[str, ...] = field(default=())

    @property
    def is_right(self) -> bool:
        """True when everything went as it should."""
        return not self.faults


def play_all(
    plays: Iterable[Play], recognition: Callable[[], Recognition], on_result: Callable[[Result], object]
) -> list[Result]:
    """Return the result of every scene, each before a fresh door; `on_result` sees each as it comes."""
    results = []
    for play in plays:
        results.append(judge(play, *run(play, recognition())))
        on_result(results[-1])
    return results


def run(play: Play, recognition: Recognition) -> tuple[list[Decision], list[str], float]:
    """Return the decisions, the kinds of other events, and the CPU milliseconds a frame took."""
    journal = MemoryJournal()
    door = ReplayDoor(recognition, journal)
    decisions = [one.decision for frame in play.scene.frames() for one in door.handle(frame)]
    kinds = [str(draft.kind) for draft in journal.drafts]
    others = [kind for kind in kinds if kind not in {Kind.ACCESS_GRANTED, Kind.ACCESS_DENIED}]
    return decisions, others, 1e3 * door.figures.cpu_s / max(door.figures.frames, 1)


def judge(play: Play, decisions: list[Decision], notices: list[str], cpu_ms: float) -> Result:
    """Return what is to be said of these decisions, faults named."""
    grants = [one for one in decisions if one.verdict is Verdict.GRANT]
    denials = [one for one in decisions if one.verdict is Verdict.DENY]
    opened = Counter(str(one.resident_id) for one in grants)
    first = {who: min(one.time for one in grants if one.resident_id == who) for who in opened}
    result = Result(
        play.name,
        len(play.near),
        {who: round(first[who] - near, 2) for who, near in play.near.items() if who in first},
        tuple(who for who in play.near if who not in first),
        sum(max(times - play.openings, 0) for who, times in opened.items() if who in play.near),
        tuple(who for who in opened if who not in play.near),
        sum(_accuses(play, one) for one in denials),
        sum(one.reason in PAUSES for one in denials),
        dict(Counter(str(one.reason) for one in denials)),
        tuple(notices),
        round(cpu_ms, 2),
    )
    return replace(result, faults=tuple(_faults(play, result)))


def _accuses(play: Play, denial: Decision) -> bool:
    """Say whether this refusal calls a living resident of the scene a picture, or a stranger."""
    # By whom the face resembled: who was really there only the scene knows, and a refusal names nobody.
    nearest = denial.detail.get("nearest")
    if denial.reason in ACCUSING:
        return nearest in play.near and nearest not in play.pictured
    return denial.reason in STRANGE and not play.has_strangers and nearest not in play.pictured


def _faults(play: Play, result: Result) -> Iterable[str]:
    least = len(play.near) if play.least is None else play.least
    if len(result.waits) < least:
        yield f"let in {len(result.waits)} of {len(play.near)}"
    slow = {who: wait for who, wait in result.waits.items() if wait > play.most_wait}
    if slow:
        yield f"waited {max(slow.values()):.1f} s"
    if result.twice:
        yield f"opened {result.twice} times more than needed"
    if result.wrong:
        yield f"let in who is not there: {', '.join(result.wrong)}"
    if result.accused:
        yield f"accused {result.accused} times"
    if result.paused:
        yield f"paused {result.paused} times"
    if play.events is not None and sum(result.refusals.values()) > play.events:
        yield f"{sum(result.refusals.values())} refusals written down, {play.events} wanted"
