"""Single frames and one-second means: each network by itself, in the statistic papers report.

The door never decides on one frame; this is for comparing networks, and our preprocessing with
what others measured. Faces of at least 90 px, ten frames a second, whichever way they look; per
presentation the face that is near for longest.
"""

from __future__ import annotations

from dataclasses import dataclass
from statistics import fmean
from typing import TYPE_CHECKING

from edge.bench.pad.paced import paced
from edge.faces.liveness.fusion import PAIR, fuse, is_allowed
from edge.faces.liveness.gate import GateLimits
from edge.faces.looking import Looker
from edge.faces.quality import QualityLimits
from edge.faces.tracker import Tracker

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from edge.bench.pad.set import Presentation
    from edge.domain import Frame
    from edge.faces.liveness.nets import PassiveNet
    from edge.faces.tracker import Track
    from edge.ports import Detector

    Errors = tuple[float | None, float | None, float | None]

FRAMES_PER_SECOND = 10.0
WINDOW_FRAMES = 10
LINES = (0.3, 0.5, 0.7, 0.9)
"""The lines at which single frames are compared; the door's is .5."""


@dataclass(frozen=True, slots=True)
class Scored:
    """The scores of one presentation's frames in order: network by network, 0..1, 1 = alive."""

    presentation: Presentation
    frames: tuple[Mapping[str, float], ...]


@dataclass(frozen=True, slots=True)
class FrameRates:
    """Error rates of one opinion. APCER is the mean over presentations, BPCER over people.

    `auc` is over one mean score per presentation; `at` gives (APCER, worst presentation's,
    BPCER) by line, `windows` the same for means over ten frames at .5. None is what nobody was there for.
    """

    name: str
    auc: float | None
    at: Mapping[float, Errors]
    windows: Errors


class FrameScorer:
    """Scores presentations frame by frame. One thread."""

    def __init__(self, detector: Detector, nets: Sequence[PassiveNet]) -> None:
        self._looker = Looker(detector, QualityLimits().min_interocular_px)
        self._nets = nets

    def score(self, presentation: Presentation) -> Scored:
        """Return the scores of the face that is near for longest; none when no face is."""
        tracker = Tracker()
        found: dict[int, list[Mapping[str, float]]] = {}
        for frame in paced(presentation, FRAMES_PER_SECOND):
            tracks, _ = tracker.update(self._looker.glance(frame.image), frame.time)
            for track in tracks:
                self._look(frame, track, found)
        longest = max(found.values(), key=len) if found else []
        return Scored(presentation, tuple(longest))

    def _look(self, frame: Frame, track: Track, found: dict[int, list[Mapping[str, float]]]) -> None:
        if track.face.box.width >= GateLimits().min_face_px:
            scores = {net.spec.name: net.score(frame.image, track.face.box) for net in self._nets}
            found.setdefault(track.id, []).append(scores)


def opinions(nets: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """Return what is compared: each network, the pair, and the sets the door has a rule for."""
    single = {name: (name,) for name in nets}
    pair = {"pair": PAIR} if set(PAIR) <= set(nets) else {}
    others = [name for name in nets if name not in PAIR]
    sets = [(*PAIR, one) for one in others] + [(*PAIR, *others)] if pair else []
    return single | pair | {f"rule: {' + '.join(one)}": one for one in sets if is_allowed(one)}


def frame_rates(name: str, nets: Sequence[str], scored: Sequence[Scored]) -> FrameRates:
    """Return the error rates of one opinion on all presentations that showed a near face."""
    seen = [one for one in scored if one.frames]
    means = [(one.presentation.is_attack, fmean(_score(nets, f) for f in one.frames)) for one in seen]
    singles = [(one.presentation, [_score(nets, frame) for frame in one.frames]) for one in seen]
    windows = [(one.presentation, _windows(nets, one.frames)) for one in seen]
    return FrameRates(
        name, _auc(means), {line: _errors(singles, line) for line in LINES}, _errors(windows, 0.5)
    )


def _score(nets: Sequence[str], scores: Mapping[str, float]) -> float:
    """Return the opinion's score; the pair's own veto, where the rule has one, caps it."""
    own = {name: scores[name] for name in nets}
    if not is_allowed(nets) or len(nets) == 1:
        return fmean(own.values())
    fused = fuse(own)
    return fused.score if fused.is_live else min(fused.score, fmean(own[name] for name in PAIR))


def _windows(nets: Sequence[str], frames: Sequence[Mapping[str, float]]) -> list[float]:
    last = max(len(frames) - WINDOW_FRAMES, 0)
    parts = [frames[start : start + WINDOW_FRAMES] for start in range(last + 1)]
    return [_score(nets, {name: fmean(one[name] for one in part) for name in nets}) for part in parts]


def _errors(scored: Sequence[tuple[Presentation, list[float]]], line: float) -> Errors:
    attacks = [fmean(score >= line for score in scores) for one, scores in scored if one.is_attack]
    people: dict[str, list[float]] = {}
    for one, scores in scored:
        if not one.is_attack:
            people.setdefault(one.person, []).extend(scores)
    refused = [fmean(score < line for score in scores) for scores in people.values()]
    return (
        fmean(attacks) if attacks else None,
        max(attacks, default=None),
        fmean(refused) if refused else None,
    )


def _auc(means: Sequence[tuple[bool, float]]) -> float | None:
    """Return how often a living face scores above an attack, ties half; None without either."""
    live = [score for is_attack, score in means if not is_attack]
    attacks = [score for is_attack, score in means if is_attack]
    wins = [(one > other) + (one == other) / 2 for one in live for other in attacks]
    return fmean(wins) if wins else None


def frame_table(rates: Sequence[FrameRates]) -> str:
    """Return the rates as Markdown: APCER (worst presentation) / BPCER in percent."""
    lines = ["| network | AUC |" + "".join(f" @{line:.1f} |" for line in LINES) + " ten frames' mean @.5 |"]
    lines.append("|---|---|" + "---|" * (len(LINES) + 1))
    for one in rates:
        cells = [_cell(*one.at[line]) for line in LINES] + [_cell(*one.windows)]
        auc = "-" if one.auc is None else f"{one.auc:.3f}"
        lines.append(f"| {one.name} | {auc} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _cell(apcer: float | None, worst: float | None, bpcer: float | None) -> str:
    attacks = "-" if apcer is None or worst is None else f"{100 * apcer:.1f} ({100 * worst:.0f})"
    return f"{attacks} / {'-' if bpcer is None else f'{100 * bpcer:.1f}'}"
