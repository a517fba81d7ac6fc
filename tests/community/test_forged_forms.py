"""No form is taken that another site made up: every path of console and page that takes one."""

from __future__ import annotations

import re

import pytest
import sqlalchemy as sa
from starlette.routing import Route

from edge.site.provision import Site
from facegate_hub.community.schema import LEDGER
from facegate_hub.console.app import make_console
from facegate_hub.console.doors_desk import DoorsDesk
from facegate_hub.page.app import make_page
from facegate_hub.tables import open_tables
from tests.community.compound import new_compound
from tests.community.web import resident, staff

FORGED = "This form is too old or comes from somewhere else."
STRANGE = {"origin": "https://elsewhere.example"}


@pytest.fixture(scope="module")
def sides(tmp_path_factory):
    folder = tmp_path_factory.mktemp("forged")
    Site.create(folder / "site", "Hill House", "127.0.0.1", 8883)
    url = f"sqlite:///{folder}/hub.db"
    open_tables(url).dispose()
    desk, compound = DoorsDesk(folder / "site", url), new_compound(folder / "compound")
    console = make_console(compound.staff, compound.terms, "https://home.example", desk)
    people = [staff(compound, name, doors=desk) for name in ("mona", "root", None)]
    phones = [resident(compound, name) for name in ("wang", None)]
    yield compound, {"console": (console, people), "page": (make_page(compound.book, compound.terms), phones)}
    desk.close()


def paths(app):
    return [
        re.sub(r"\{[^}]*\}", "1", route.path)
        for route in app.routes
        if isinstance(route, Route) and "POST" in (route.methods or ())
    ]


def entries(compound):
    with compound.book.looking() as connection:
        return connection.execute(sa.select(sa.func.count()).select_from(LEDGER)).scalar_one()


@pytest.mark.parametrize("side", ["console", "page"])
def test_every_form_needs_the_token_of_its_own_browser(sides, side):
    """None, somebody else's, and one's own from a page elsewhere: nothing is done, and nothing is entered."""
    compound, apps = sides
    app, browsers = apps[side]
    found, before = paths(app), entries(compound)
    tokens = [token_of(browser) for browser in browsers]
    assert len(found) > 10
    for path in found:
        refused = []
        for browser, own, theirs in zip(browsers, tokens, [*tokens[1:], tokens[0]], strict=True):
            for form, headers in (({}, {}), ({"csrf": theirs}, {}), ({"csrf": own}, STRANGE)):
                answer = browser.client.post(path, data=form, headers=headers, follow_redirects=False)
                refused.append(FORGED in answer.text)
                assert answer.status_code == 403 or answer.headers["location"] in {"/login", "/enter"}, path
        assert any(refused), path
    assert entries(compound) == before


def token_of(browser):
    """Return the token that this browser's forms bring along."""
    for path in ("/", "/new", "/enter", "/first"):
        browser.get(path)
        if (found := re.search(r'name="csrf" value="(\w+)"', browser.page)) is not None:
            return found[1]
    raise AssertionError("no page with a form")
