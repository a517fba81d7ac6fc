"""The list of doors that share faces: every change of it reaches the doors, whoever meets it first."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import sqlalchemy as sa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from edge.site.provision import Site
from edge.site.sharing import SharingDoors, SharingRequest
from edge.wire.faces.letters import taken
from edge.wire.messages import Message
from facegate_hub.database_urls import database_url
from facegate_hub.post import PostOffice
from facegate_hub.service import Hub
from facegate_hub.tables import DEVICES

if TYPE_CHECKING:
    from pathlib import Path


class Sent(PostOffice):
    """Remembers what it would send."""

    def __init__(self, *words: Any) -> None:
        super().__init__(*words)
        self.sent: list[str] = []

    def send(self, topic: str, payload: bytes, *, retain: bool = False) -> None:
        self.sent.append(topic)


@pytest.fixture
def post(tmp_path: Path):
    made = Site.create(tmp_path / "site", "Hill House", "127.0.0.1", 1)
    made.add_door("front")
    hub = Hub(tmp_path / "site", database_url(tmp_path / "site"))
    with hub.engine.begin() as connection:
        connection.execute(sa.insert(DEVICES).values(id="front"))
    office = Sent(hub.engine, hub.roster, tmp_path / "site" / "hub")
    office.idle()
    yield office, tmp_path / "site"
    hub.engine.dispose()


def test_a_list_that_a_letter_meets_first_is_told_to_the_doors_all_the_same(post):
    """Else a door that was revoked would stay listed until the others connect anew."""
    office, site = post
    key = Ed25519PrivateKey.generate().public_key().public_bytes_raw()
    request = SharingRequest("front", key)
    SharingDoors(site).accept(request, request.fingerprint, ["receives"])
    office._list._read_at = float("-inf")  # two seconds later
    office.handle_all([Message("facegate/v1/front/face/taken", taken([1]), retained=False)])
    office.idle()
    assert office.sent == ["facegate/v1/front/face/doors"]
