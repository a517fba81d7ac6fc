"""The scenes: who does what before the gate, and what may be expected of the door."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from edge.bench.gate.compose import (
    Layer,
    Scene,
    bands,
    crosses,
    hangs,
    stands,
    swings,
    visits,
    walks_up,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from edge.bench.gate.cast import Actor
    from edge.bench.gate.compose import Paint, Path, Where

MOST_WAIT = 1.5
"""Seconds from being near enough (a face of 90 px) to being let in."""

NEAR = 150.0
PASSING = 80.0


@dataclass(frozen=True, slots=True)
class Cast:
    """Who plays: residents are enrolled, strangers not; `shown` are recordings of residents' pictures."""

    residents: Sequence[Actor]
    strangers: Sequence[Actor]
    shown: Sequence[Actor] = ()


@dataclass(frozen=True, slots=True)
class Play:
    """One scene and what is right. `near` tells when each resident could be let in, in seconds.

    `openings` is how often each of them may be (1 but where they leave and come back); `least` how
    many of them must get in at all. `pictured` are the residents whose picture is shown: to refuse
    that is no accusation. `events` is the most refusals that are written down, where that counts.
    """

    name: str
    scene: Scene
    near: Mapping[str, float] = field(default_factory=dict)
    openings: int = 1
    least: int | None = None
    most_wait: float = MOST_WAIT
    pictured: frozenset[str] = frozenset()
    has_strangers: bool = False
    events: int | None = None


def plays(cast: Cast, *, is_short: bool = False) -> Iterator[Play]:
    """Yield the scenes for this cast; the short form leaves out repetitions and hours."""
    for group in (_walk_ups, _light, _passers_by, _hanging, _company, _rush, _attacks):
        yield from group(cast, is_short)


def _few(cast: Cast, is_short: bool) -> Sequence[Actor]:  # noqa: FBT001
    return cast.residents[: 1 if is_short else 3]


def _reach(seconds: float, far: float, near: float, width: float = 90.0) -> float:
    """Return when a walk-up reaches a face of `width` px."""
    return seconds * (1 - far / width) / (1 - far / near)


def _walk_ups(cast: Cast, is_short: bool) -> Iterator[Play]:  # noqa: FBT001
    for seconds in (3.0,) if is_short else (2.0, 3.0, 5.0):
        for who in _few(cast, is_short):
            scene = Scene(seconds + 3, [Layer(who, walks_up(seconds, 200, 40))])
            yield Play(f"walks up in {seconds:.0f} s", scene, {who.name: _reach(seconds, 40, 200)})


def _light(cast: Cast, is_short: bool) -> Iterator[Play]:  # noqa: FBT001
    lamps: list[tuple[str, Paint]] = [
        ("light swings 10 % at 6 Hz", swings(6, 0.1)),
        ("light swings 15 % at 3 Hz", swings(3, 0.15)),
        ("light swings 30 % at 6 Hz", swings(6, 0.3)),
        ("mains bands of 20 %", bands(0.2)),
        ("mains bands of 45 %", bands(0.45)),
    ]
    for name, lamp in lamps[2::2] if is_short else lamps:
        for who in _few(cast, is_short):
            scene = Scene(5, [Layer(who, stands(320, 230, NEAR))], light=lamp)
            yield Play(name, scene, {who.name: 0.0})


def _passers_by(cast: Cast, is_short: bool) -> Iterator[Play]:  # noqa: FBT001
    others = cast.strangers
    if not others:
        return
    for in_front in (False, True):
        for number, who in enumerate(_few(cast, is_short)):
            passer = Layer(others[number % len(others)], crosses(0.2, 1.0, PASSING, 190), in_front)
            scene = Scene(5, [Layer(who, stands(320, 230, NEAR)), passer])
            name = f"somebody passes {'before' if in_front else 'behind'}"
            yield Play(name, scene, {who.name: 1.2 if in_front else 0.0}, has_strangers=True)
    count, every = (6, 2.5) if is_short else (24, 4.0)
    passing = [
        Layer(others[n % len(others)], crosses(1 + n * every, 2.0, PASSING, 200), in_front=False)
        for n in range(count)
    ]
    begin, people, near = count * every + 1.5, list[Layer](), {}
    for number, who in enumerate(_few(cast, is_short)):
        near[who.name] = begin + 14 * number
        people.append(Layer(who, visits(320, 250, 170, near[who.name], near[who.name] + 6.5, side=-1)))
    name = f"residents after {count} passers-by"
    yield Play(name, Scene(begin + 14 * len(people), [*passing, *people]), near, has_strangers=True)


def _hanging(cast: Cast, is_short: bool) -> Iterator[Play]:  # noqa: FBT001
    model, visitors = cast.residents[-1], cast.residents[:-1][: 1 if is_short else 3]
    things = [("poster, 100 px", model, 100.0, False), ("poster, 50 px", model, 50.0, False)]
    things += [(f"screen, 100 px, with {one.name}", one, 100.0, True) for one in cast.shown]
    for name, hung, width, moves in things[::2] if is_short else things:
        paint, pictured = hangs(hung, width, 520, 170, moves=moves), frozenset({hung.name})
        for who in (one for one in visitors if one.name != hung.name):
            walk = _aside(walks_up(2, NEAR, 60, begin=8))
            near = {who.name: 8 + _reach(2, 60, NEAR)}
            yield Play(f"beside a {name}", Scene(14, [Layer(who, walk)], paint), near, pictured=pictured)
    seconds = 60 if is_short else 600
    alone = Scene(seconds, [], hangs(model, 100, 480, 200))
    yield Play(f"a poster alone for {seconds} s", alone, pictured=frozenset({model.name}), events=1)
    if cast.strangers:
        strange = Scene(seconds, [], hangs(cast.strangers[0], 100, 480, 200))
        yield Play(f"a stranger's poster for {seconds} s", strange, has_strangers=True, events=1)


def _aside(path: Path) -> Path:
    """Return `path` a little to the left: what hangs there hangs on the right."""

    def moved(time: float) -> Where | None:
        place = path(time)
        return None if place is None else (place[0] - 100, place[1], place[2])

    return moved


def _company(cast: Cast, is_short: bool) -> Iterator[Play]:  # noqa: FBT001
    first, second = cast.residents[0], cast.residents[1]
    both = {first.name: 0.0, second.name: 3.0}
    talk = [Layer(first, stands(200, 230, 140)), Layer(second, visits(410, 235, 140, 3, 15))]
    yield Play("talks with a neighbour for 12 s", Scene(20, talk), both)
    if cast.strangers:
        talk = [Layer(first, stands(240, 230, 140)), Layer(cast.strangers[0], visits(345, 235, 140, 3, 15))]
        yield Play("talks with a stranger", Scene(22, talk), {first.name: 0.0}, has_strangers=True)
    away = [
        ("turns the back for 4 s, again and again", lambda t: t % 12 > 8, 1),
        ("steps away for 2.5 s", lambda t: 2 < t < 4.5, 1),
        ("leaves and comes back after 10 s", lambda t: 2 < t < 12, 2),
    ]
    for name, is_away, openings in away[::2] if is_short else away:
        scene = Scene(16 if openings == 2 else 26, [Layer(first, _hidden(stands(320, 230, NEAR), is_away))])
        yield Play(name, scene, {first.name: 0.0}, openings=openings)


def _hidden(path: Path, is_away: Callable[[float], bool]) -> Path:
    return lambda time: None if is_away(time) else path(time)


def _rush(cast: Cast, is_short: bool) -> Iterator[Play]:  # noqa: FBT001
    for view in (2.0,) if is_short else (2.0, 1.0):
        people, near = [], {}
        for number, who in enumerate(cast.residents):
            begin = number * (view + 0.6)
            looks = who.facing_at(begin)
            people.append(Layer(looks, walks_up(view * 0.6, 160, 90, begin, begin + view)))
            near[who.name] = begin
        scene = Scene(len(people) * (view + 0.6) + 1, people)
        least = math.floor(0.95 * len(people))
        yield Play(f"{len(people)} residents, {view:.0f} s each", scene, near, least=least, most_wait=view)
    people, near = [], {}
    for number, who in enumerate(cast.residents):
        begin = number * 3.0
        people.append(Layer(who, _queues(begin, 0.6)))
        near[who.name] = begin + 0.5
    yield Play("a queue, the next face 0.6 as wide", Scene(len(people) * 3 + 1, people), near, most_wait=2.2)


def _queues(begin: float, share: float) -> Path:
    """Return the path of the next one in a queue: behind, to the right, then before the door."""

    def path(time: float) -> Where | None:
        if not begin - 3 <= time < begin + 2.6:
            return None
        moved = min(max((time - begin) / 0.5, 0.0), 1.0)
        return 420 - 120 * moved, 200 + 30 * moved, NEAR * (share + (1 - share) * moved)

    return path


def _attacks(cast: Cast, is_short: bool) -> Iterator[Play]:  # noqa: FBT001
    first, second = cast.residents[0], cast.residents[1]
    held = frozenset({second.name})
    beside = Scene(8, [Layer(first, stands(200, 230, NEAR))], hangs(second, 120, 500, 230))
    yield Play("holds a neighbour's picture up", beside, {first.name: 0.0}, pictured=held)
    moved = Scene(20, [], _moved(second, 10.0))
    yield Play("a picture held still, then moved", moved, pictured=held)
    for shown in cast.shown[: 1 if is_short else 3]:
        times = 2 if is_short else 5
        flashed = _hidden(stands(320, 240, NEAR, 0, 3.0 * times), lambda t: t % 3 > 2.2)
        come = 3.0 * times + 1.5
        who = next(one for one in cast.residents if one.name != shown.name)
        people = [Layer(shown, flashed), Layer(who, walks_up(1.5, NEAR, 60, begin=come - 1))]
        near = {who.name: come - 1 + _reach(1.5, 60, NEAR)}
        name = f"a screen is held up {times} times, then a resident comes"
        yield Play(name, Scene(come + 5, people), near, pictured=frozenset({shown.name}))
        nearer = Scene(8, [Layer(shown, walks_up(4, NEAR, 45))])
        yield Play(f"a screen with {shown.name} comes nearer", nearer, pictured=frozenset({shown.name}))


def _moved(actor: Actor, at: float) -> Paint:
    still, gone = hangs(actor, 120, 250, 220, until=at), hangs(actor, 120, 400, 230)
    return lambda image, time: still(image, time) if time < at else gone(image, time)
