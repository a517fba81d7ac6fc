"""The public counts, over many tickets in every state, beside the same counts made one by one."""

from __future__ import annotations

import random
from collections import Counter

import pytest
import sqlalchemy as sa

from facegate_hub.community.machine import ENDED, OPEN, Audience, TicketKind, TicketState
from facegate_hub.community.schema import TICKETS
from facegate_hub.community.ticket_row import ticket_of
from facegate_hub.community.tickets import Report
from facegate_hub.community.wall import DAY, PUBLIC_LINES, read_wall
from facegate_hub.console.views_tickets import MOST_COUNTED
from tests.community.compound import new_compound
from tests.community.web import staff

MANY = 400


@pytest.fixture
def compound(tmp_path):
    """A compound with tickets of every state, category and age, as a book's projection would have them."""
    made = new_compound(tmp_path)
    wang = made.people["wang"]
    report = Report(TicketKind.OPINION, "noise", "the lift", flat="3-1203", requester=wang)
    made.tickets.report(made.asker("wang"), report)
    rng = random.Random(7)
    with made.book.engine.begin() as connection:
        first = dict(connection.execute(sa.select(TICKETS)).mappings().one())
        rows = [
            first
            | {
                "id": f"ticket-{number}",
                "number": number,
                "state": rng.choice([*TicketState]).value,
                "category": rng.choice(["noise", "water", "lift"]),
                "audience": rng.choice([*Audience]).value,
                "opened_at": first["opened_at"] - rng.randrange(90 * DAY),
                "reopened": rng.randrange(2),
            }
            for number in range(2, MANY + 1)
        ]
        connection.execute(sa.insert(TICKETS), rows)
    return made


def test_the_wall_counts_every_ticket_once(compound):
    with compound.book.looking() as connection:
        tickets = [ticket_of(row) for row in connection.execute(sa.select(TICKETS))]
    wall = read_wall(compound.book)
    assert dict(wall.by_state) == Counter(one.state for one in tickets)
    still_open = [one for one in tickets if one.state in OPEN]
    assert wall.open == len(still_open)
    assert {name: (opened, all_) for name, opened, all_ in wall.by_category} == {
        name: (sum(one.category == name for one in still_open), count)
        for name, count in Counter(one.category for one in tickets).items()
    }
    assert wall.reopened == sum(one.reopened > 0 for one in tickets)
    oldest = min(one.opened_at for one in still_open)
    assert wall.oldest_days == (compound.book.now() - oldest) // DAY
    newest = sorted((one.number for one in tickets if one.audience is Audience.ALL), reverse=True)
    assert [one.number for one, _ in wall.public] == newest[:PUBLIC_LINES]


def test_nobody_counts_further_than_a_list_shows(compound):
    asker = compound.asker("dora")
    assert compound.tickets.count(asker, ENDED, 7) == 7
    assert len(compound.tickets.lines(asker, ENDED, 7)) == 7
    page = staff(compound, "dora").get("/tickets").text
    assert f'<span class="count">{MOST_COUNTED}+</span>' in page
