"""Nonsense in every form and path of both applications: refused in words, nothing breaks, the book holds."""

from __future__ import annotations

import random
import re

import pytest

from facegate_hub.community.verify import verify
from facegate_hub.console.app import PAGES as CONSOLE_PAGES
from facegate_hub.page.app import PAGES as RESIDENT_PAGES
from tests.community.compound import new_compound
from tests.community.web import resident, staff

FIELDS = (
    *("act", "text", "kind", "category", "flat", "place", "urgency", "audience", "about", "score", "device"),
    *("code", "name", "number", "language", "why", "until", "cause", "reason", "into", "assignee", "do"),
    *("duty", "title_zh", "title_en", "level", "begins", "ends", "buildings", "tie", "replaces", "hours"),
    *("uses", "contact", "resident", "person", "password", "digits", "anyway", "q", "show", "entry", "hash"),
)
VALUES = (
    *(
        "",
        " ",
        "1",
        "-1",
        "0",
        "9" * 40,
        "１２",
        "x" * 5000,
        "<script>alert(1)</script>",
        "'; DROP TABLE ledger; --",
    ),
    *(
        "\u202e\u0000",
        "😀" * 300,
        "3-1203",
        "mona",
        "wang",
        "assign",
        "confirm",
        "approve",
        "NaN",
        "1e309",
        "../../x",
    ),
    *(
        "2026-03-05T18:00",
        "0001-01-01T00:00+14:00",
        "9999-12-31T23:59-12:00",
        "all",
        "emergency",
        "visitor",
        "None",
    ),
)


def filled(path, rng):
    return re.sub(
        r"\{\w+\}", lambda _: rng.choice(["1", "x", "0", "9" * 30, "a.b", "%00", "zh", "f" * 64]), path
    )


@pytest.mark.parametrize(
    ("pages", "enter", "names"),
    [(RESIDENT_PAGES, resident, ("wang", None)), (CONSOLE_PAGES, staff, ("mona", "root", "chair", None))],
    ids=["page", "console"],
)
def test_nothing_breaks(tmp_path, pages, enter, names):
    compound = new_compound(tmp_path)
    rng = random.Random(str(names))
    for name in names:
        browser = enter(compound, name)
        browser.get("/enter" if enter is resident else "/login")
        for path, methods, _, _ in pages:
            if path in {"/leave", "/logout"}:
                continue
            for method in methods:
                for _ in range(1):
                    form = {field: rng.choice(VALUES) for field in rng.sample(FIELDS, 14)}
                    token = re.search(r'name="csrf" value="(\w+)"', browser.page)
                    form["csrf"] = token[1] if token else ""
                    where = filled(path, rng)
                    if method == "POST":
                        answer = browser.client.post(where, data=form, follow_redirects=False)
                    else:
                        answer = browser.client.get(where, params=form, follow_redirects=False)
                    assert answer.status_code < 500, (where, form, answer.text[:200])
                    assert "<script>alert" not in answer.text
    with compound.book.looking() as connection:
        assert verify(connection, compound.book.sealer).problems == []
