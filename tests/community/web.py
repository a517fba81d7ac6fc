"""Both applications without a network: a browser that keeps cookies and fills in forms as people do."""

from __future__ import annotations

import re
from dataclasses import dataclass
from html.parser import HTMLParser
from typing import TYPE_CHECKING

from facegate_hub.community.book import Doer
from facegate_hub.community.devices import Devices
from facegate_hub.console.app import COOKIE as CONSOLE_COOKIE
from facegate_hub.console.app import make_console
from facegate_hub.page.app import COOKIE as PAGE_COOKIE
from facegate_hub.page.app import make_page
from tests.fakes.pages import client_of
from tests.present import present

if TYPE_CHECKING:
    from starlette.testclient import TestClient

    from tests.community.compound import Compound

URL = "https://testserver"


class Forms(HTMLParser):
    """Collects every form that is sent: where it goes, and what it sends when nobody touches it."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str]]] = []

    def handle_starttag(self, tag, attributes):
        given = dict(attributes)
        if tag == "form":
            place = given.get("action", "") if given.get("method") == "post" else ""
            self.found.append((place, {}))
        elif tag == "input" and self.found and given.get("name"):
            self.found[-1][1][given["name"]] = given.get("value") or ""


@dataclass
class Browser:
    client: TestClient
    page: str = ""
    status: int = 0

    def get(self, path: str, **more):
        return self._took(self.client.get(path, **more))

    def send(self, action: str, _files=None, **fields: str):
        """Send the form of the page that goes to `action`, with these fields filled in."""
        forms = Forms()
        forms.feed(self.page)
        wanted = [given for where, given in forms.found if where == action]
        act = fields.get("act")
        given = next((one for one in wanted if act is None or one.get("act") == act), None)
        assert given is not None, f"no form to {action} on this page: {[one for one, _ in forms.found]}"
        return self._took(self.client.post(action, data={**given, **fields}, files=_files))

    def _took(self, response):
        self.page, self.status = response.text, response.status_code
        return response

    @property
    def title(self) -> str:
        return present(re.search(r"<h1[^>]*>(.*?)</h1>", self.page, re.DOTALL))[1]


def browser(app, language: str) -> Browser:
    client = client_of(app, base_url=URL)
    client.get(f"/language/{language}")
    return Browser(client)


def resident(compound: Compound, name: str | None = None, language="en") -> Browser:
    """Return the page in somebody's browser; without a name nobody is logged in."""
    found = browser(make_page(compound.book, compound.terms), language)
    if name is not None:
        token = Devices(compound.book).begin(Doer("person", compound.people[name]), "test")
        found.client.cookies.set(PAGE_COOKIE, token, domain="testserver.local")
    return found


def staff(compound: Compound, name: str | None = None, language="en", doors=None) -> Browser:
    found = browser(make_console(compound.staff, compound.terms, "https://home.example", doors), language)
    if name is not None:
        token = Devices(compound.staff).begin(Doer("account", name), "test")
        found.client.cookies.set(CONSOLE_COOKIE, token, domain="testserver.local")
    return found
