"""The list of doors that share faces: every change of it reaches the doors, whoever meets it first."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import sqlalchemy as sa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from edge.site.provision import Site
from edge.site.sharing import SharingDoors, SharingRequest
from edge.wire.faces.letters import Letter, LetterKind, taken
from edge.wire.messages import Message
from edge.wire.signing import Signer
from facegate_hub.database_urls import database_url
from facegate_hub.letter_budget import CARRIED_BYTES, CARRIED_PER_SECOND, LetterBudget
from facegate_hub.post import GREET_SECONDS, MOST_OF_SENDER, PostOffice
from facegate_hub.service import Hub
from facegate_hub.tables import DEVICES, LETTERS
from tests.community.test_leaving import take_few_values
from tests.hub.away import table_away

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


def test_a_database_that_fails_meanwhile_keeps_no_list_from_the_doors(post):
    office, site = post
    listed(site, "front")
    office._list._read_at = float("-inf")
    with table_away(office._engine, DEVICES), pytest.raises(sa.exc.OperationalError):
        office.idle()
    office.idle()
    assert office.sent == ["facegate/v1/front/face/doors"]


def listed(site, *names):
    """List doors that share faces, and return the key of the first."""
    keys = {name: Ed25519PrivateKey.generate() for name in names}
    for name, key in keys.items():
        request = SharingRequest(name, key.public_key().public_bytes_raw())
        SharingDoors(site).accept(request, request.fingerprint, ["enrols", "receives"])
    return Signer(names[0], keys[names[0]].private_bytes_raw())


def ended(office, to, count=500):
    consents = [f"{number:064}" for number in range(count)]
    content = {"consents": consents, "at": "2026-06-01T08:00:00Z", "answer": False}
    return Letter(office._list.doors.site, "front", tuple(to), LetterKind.END, content)


def waiting(office):
    with office._engine.connect() as connection:
        size = sa.func.sum(sa.func.length(LETTERS.c.payload))
        return connection.execute(sa.select(sa.func.count(), size)).one()


def test_a_door_that_writes_long_letters_to_all_fills_neither_memory_nor_disk(post):
    office, site = post
    names = ["front", *(f"door-{number}" for number in range(30))]
    signer = listed(site, *names)
    office._list._read_at = float("-inf")
    office._budget = LetterBudget(lambda: 0.0)
    office.idle()
    office.sent.clear()
    payload = ended(office, names).signed(signer)
    office.handle_all([Message("facegate/v1/front/face/out", payload, retained=False)] * 60)
    count, size = waiting(office)
    assert count == len(office.sent)
    assert CARRIED_BYTES - 30 * len(payload) < size <= CARRIED_BYTES
    assert count < 60 * 30


def test_letters_of_one_door_that_wait_are_bounded_for_all_others_together(post):
    office, site = post
    names = ["front", *(f"door-{number}" for number in range(30))]
    signer = listed(site, *names)
    office._list._read_at = float("-inf")
    office.idle()
    payload = ended(office, names, 1).signed(signer)
    for _ in range(4):
        office.handle_all([Message("facegate/v1/front/face/out", payload, retained=False)] * 100)
    assert waiting(office)[0] == MOST_OF_SENDER


def test_a_budget_fills_again_with_time():
    now = [0.0]
    budget = LetterBudget(lambda: now[0])
    assert budget.takes("front", CARRIED_BYTES)
    assert not budget.takes("front", 1)
    assert budget.takes("back", CARRIED_BYTES)
    now[0] = 1.0
    assert not budget.takes("front", CARRIED_PER_SECOND + 1)
    assert budget.takes("front", CARRIED_PER_SECOND)
    now[0] = 1e9
    assert not budget.takes("front", CARRIED_BYTES + 1)


def test_a_door_that_says_again_and_again_that_it_is_there_is_greeted_once(post):
    office, site = post
    listed(site, "front")
    office._list._read_at = float("-inf")
    office.idle()
    assert office.sent == ["facegate/v1/front/face/doors"]
    for _ in range(20):
        office.handle_all([Message("facegate/v1/front/avail", b'{"v":1,"state":"online"}', retained=False)])
        office.idle()
    assert len(office.sent) == 1
    office._greeted["front"] -= GREET_SECONDS  # so much later
    office.idle()
    assert len(office.sent) == 2


def test_a_door_that_says_it_took_thousands_of_letters_holds_up_no_other(post):
    """More numbers than a statement takes would fail again and again, and nobody got a letter any more."""
    office, _ = post
    take_few_values(office._engine)
    with office._engine.begin() as connection:
        waiting = {"device": "front", "sender": "back", "kind": "ask", "payload": "{}", "stored_at": 0.0}
        connection.execute(sa.insert(LETTERS).values(**waiting))
    office._waiting.end()  # so that a database that fails is not waited for
    office.handle_all([Message("facegate/v1/front/face/taken", taken(range(1, 1001)), retained=False)])
    with office._engine.connect() as connection:
        assert connection.execute(sa.select(sa.func.count()).select_from(LETTERS)).scalar_one() == 0
