"""How many faces a door asks for at once: more as answers come, fewer and more patiently when they do not."""

from __future__ import annotations

from edge.service.sharing.asking import FIRST_SECONDS, LEAST_UNDER_WAY, MOST_SECONDS, MissingFaces
from edge.wire.faces.letters import MOST_ASKED

FACES = {f"c-{number:04}": ("front", "back") for number in range(2000)}


def asked_of(asking, now):
    return {door: len(consents) for door, consents in asking.due(now).items()}


def test_answers_that_come_at_once_are_followed_by_more_questions():
    asking, now, asked = MissingFaces(), 10.0, []
    asking.want(FACES, 0.0)
    for _ in range(20):
        found = asking.due(now)
        asked.append(sum(map(len, found.values())))
        now += 0.2
        for consent in found.get("front", ()):
            asking.arrived(consent, now)
    assert asked[0] == 2 * LEAST_UNDER_WAY
    assert asked[-1] == MOST_ASKED


def test_without_answers_few_are_asked_for_and_then_of_another_door():
    asking, now = MissingFaces(), 10.0
    asking.want(FACES, 0.0)
    assert asked_of(asking, now) == {"front": 2 * LEAST_UNDER_WAY}
    assert asked_of(asking, now + FIRST_SECONDS / 2) == {}
    assert set(asked_of(asking, now + 2 * FIRST_SECONDS)) == {"back"}
    for turn in range(40):
        asking.due(now + (2 + turn) * FIRST_SECONDS)
    under_way = sum(wish.tries > 0 for wish in asking._wishes.values())
    assert under_way < MOST_ASKED


def test_a_busy_door_is_waited_for_as_long_as_its_answers_take():
    asking, now = MissingFaces(), 10.0
    asking.want(FACES, 0.0)
    (first,) = asking.due(now).values()
    for consent in first:
        asking.arrived(consent, now + 20.0)
    (second,) = asking.due(now + 20.0).values()
    late = asking.due(now + 20.0 + 2 * FIRST_SECONDS)
    assert not set(second) & {consent for several in late.values() for consent in several}


def test_a_door_that_is_away_for_weeks_is_asked_on_and_on():
    """A connection that lasts never begins again, so that the tries for one face run into thousands."""
    asking, now = MissingFaces(), 10.0
    asking.want({"c-1": ("front",)}, 0.0)
    asked = 0
    for _ in range(3000):
        asked += bool(asking.due(now))
        now += MOST_SECONDS
    assert asked > 2900
