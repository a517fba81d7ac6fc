"""What a door's page does for the property's: a code for the residents' page, a service that is signed."""

from __future__ import annotations

import hashlib
import re
from dataclasses import replace

import pytest
from pydantic import ValidationError

from edge.config.panel import PanelSection
from edge.domain import Resident
from edge.panel.app import make_app
from edge.web.accounts import Role, plain_code
from tests.present import present

PAGE = "https://home.example:8445"


@pytest.fixture
def invited(panel):
    """A panel that knows the residents' page, and somebody who lives there."""
    panel.desk = replace(panel.desk, residents_page=PAGE)
    panel.app = make_app(panel.desk)
    panel.desk.residents.put(Resident("3-1203-2", "李伟"), ())
    return panel


def test_a_code_is_shown_once_and_only_its_digest_is_written_down(invited):
    """As a QR and to be typed; the property lets in whoever holds it."""
    sam = invited.logged_in("sam", Role.STAFF)
    assert "residents&#39; page" in sam.get("/residents/3-1203-2").text
    page = sam.post("/residents/3-1203-2/invite").text
    code = present(re.search(r'class="secret">([^<]+)<', page))[1]
    assert f"{PAGE}/enter" in page
    event = invited.events("invite.made")[0]
    assert event.resident_id == "3-1203-2"
    assert event.data["digest"] == hashlib.sha256(plain_code(code).encode()).hexdigest()
    assert event.data["by"] == "sam"
    assert code not in "".join(str(event) for event in invited.journal.read(0, 1000))
    assert code not in sam.get("/residents/3-1203-2").text


def test_a_door_that_knows_no_page_invites_nobody(panel):
    """And says who can mend that; an auditor looks only."""
    panel.desk.residents.put(Resident("3-1203-2", "李伟"), ())
    sam = panel.logged_in("sam", Role.STAFF)
    assert "/invite" not in sam.get("/residents/3-1203-2").text
    assert sam.post("/residents/3-1203-2/invite").status_code == 422
    assert panel.events("invite.made") == []


def test_an_auditor_shows_no_code(invited):
    """Whoever gets it is let in."""
    eve = invited.logged_in("eve", Role.AUDITOR)
    assert "/invite" not in eve.get("/residents/3-1203-2").text
    assert eve.post("/residents/3-1203-2/invite").status_code == 403


def test_an_installer_signs_a_service_and_nobody_else(panel):
    """With a part and a day of the lists; the name stands in the journal."""
    ines = panel.logged_in()
    ines.get("/health")
    assert "The service is signed" in ines.post("/health/service", part="lock", days="180").text
    data = panel.events("service.done")[0].data
    assert (data["by"], data["part"]) == ("ines", "lock")
    assert 179 * 86_400 < data["next"] - panel.clock.now().timestamp() <= 180 * 86_400
    for part, days in (("lock", "1"), ("elsewhere", "180"), ("", "")):
        assert ines.post("/health/service", part=part, days=days).status_code == 422
    sam = panel.logged_in("sam", Role.STAFF)
    sam.get("/health")
    assert sam.post("/health/service", part="lock", days="180").status_code == 403
    assert len(panel.events("service.done")) == 1


@pytest.mark.parametrize(
    "page", ["http://home.example", "https://home.example/", "https://a b", "x", "https://h#c"]
)
def test_the_page_s_address_is_one_that_a_code_can_be_added_to(page):
    """Else phones would land nowhere."""
    with pytest.raises(ValidationError):
        PanelSection.model_validate({"residents_page": page})
