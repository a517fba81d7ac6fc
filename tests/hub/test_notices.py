"""The hub carries approved notices to doors, each its own, and doors' journals bear witness of the book."""

from __future__ import annotations

import json

import pytest
import sqlalchemy as sa

from edge.broker.session import BrokerSession
from edge.wire.notices import PURPOSE, NoticeSet
from facegate_hub.community.accounts import Account
from facegate_hub.community.book import entry_hash
from facegate_hub.community.duties import Duty, Side
from facegate_hub.community.notice_desk import NoticeDesk, NoticeDraft
from facegate_hub.community.notices import NoticeLevel
from facegate_hub.community.schema import LEDGER
from facegate_hub.community.terms import read_terms
from facegate_hub.community.verify import verify
from facegate_hub.notices import NoticeServer, witnessed
from facegate_hub.tables import EVENTS, NOTICE_SETS, open_tables
from tests.community.compound import new_compound
from tests.sync.hubside import KEYS, SIGNER

DESK = Account("dora", Duty.DESK, Side.PROPERTY, "active")
MANAGER = Account("mona", Duty.MANAGER, Side.PROPERTY, "active")


class Session(BrokerSession):
    """A connection to nowhere that keeps what was published."""

    def __init__(self) -> None:
        self.sent: list[tuple[str, NoticeSet]] = []

    def publish(
        self, topic: str, payload: bytes, *, retain: bool = False, done: int = 0, proof: str = ""
    ) -> int:
        assert retain
        self.sent.append((topic, NoticeSet.parse(KEYS.open(payload, PURPOSE))))
        return len(self.sent)


class Site:
    def __init__(self, folder):
        self.compound = new_compound(folder)
        (folder / "staff" / "terms.toml").write_text('[doors]\n3 = ["lobby-3"]\n5 = ["lobby-5"]\n')
        self.engine = open_tables(f"sqlite:///{folder / 'hub.db'}")
        self.terms, self.now, self.session = read_terms(folder / "staff"), 0.0, Session()
        self.start()

    def start(self):
        community = (self.compound.staff, self.terms)
        doors = ("gate", "lobby-3", "lobby-5")
        self.server = NoticeServer(self.engine, SIGNER, community, lambda: doors, lambda: self.now)
        self.server.opened(self.session, 0.0)

    def look(self):
        self.session.sent.clear()
        self.server.idle()
        self.server.step(self.session, 0.0)
        return {topic.split("/")[2]: told for topic, told in self.session.sent}

    def put(self, **more):
        now = self.compound.book.now()
        values = {"title_zh": "停水", "title_en": "No water", "text": "", "begins": now, "ends": now + 86_400}
        notices = NoticeDesk(self.compound.staff)
        number = notices.draft(DESK, NoticeDraft(NoticeLevel.INFO, **{**values, **more}))
        notices.approve(MANAGER, number)
        return number


@pytest.fixture
def site(tmp_path):
    return Site(tmp_path)


def lines(told):
    return {door: [one.text["en"] for one in each.items] for door, each in told.items()}


def test_each_door_gets_what_its_building_is_told_and_a_gate_everything(site):
    site.put(title_en="for all")
    site.put(title_en="for 3", buildings=("3",))
    site.put(title_en="for owners", tie="owner")
    told = lines(site.look())
    assert told == {"gate": ["for 3", "for all"], "lobby-3": ["for 3", "for all"], "lobby-5": ["for all"]}


def test_nothing_is_told_twice_but_after_a_new_connection(site):
    site.put()
    first = site.look()
    assert site.look() == {}
    site.server.opened(site.session, 0.0)
    assert site.look() == first
    site.start()
    assert site.look() == first, "a hub that starts anew tells the same revision"


def test_revisions_only_grow_and_survive_a_lost_database(site):
    site.put()
    before = site.look()["gate"].rev
    site.put(title_en="another")
    assert site.look()["gate"].rev > before
    with site.engine.begin() as connection:
        connection.execute(sa.delete(NOTICE_SETS))
    site.server.opened(site.session, 0.0)
    assert site.look()["gate"].rev >= before


def test_the_head_goes_out_once_an_hour_when_it_moved(site):
    head = site.look()["gate"].head
    site.put()
    told = site.look()["gate"]
    assert told.head == head, "a change in between takes the old one along"
    site.now += 3600
    assert site.look()["gate"].head[0] > head[0]
    site.now += 3600
    assert site.look() == {}


def test_a_rebuilt_book_is_found_by_what_a_door_wrote_down(site):
    head = site.look()["lobby-3"].head
    body = json.dumps({"data": {"entry": head[0], "hash": head[1], "rev": 1}})
    row = {"device": "lobby-3", "stream": "s", "seq": 1, "kind": "notice.set", "prev": "", "hash": ""}
    with site.engine.begin() as connection:
        connection.execute(sa.insert(EVENTS).values(**row, body=body))
    noted, book = witnessed(site.engine), site.compound.book
    assert noted == {head[0]: head[1]}
    assert witnessed(site.engine, "gate") == {}
    with book.looking() as connection:
        assert verify(connection, book.sealer, noted).problems == []
    with book.engine.begin() as connection:
        connection.exec_driver_sql("DROP TRIGGER ledger_UPDATE")
        prev = "0" * 64
        for one in connection.execute(sa.select(LEDGER).order_by(LEDGER.c.seq)).all():
            fields = [one.seq, one.at + 1, one.actor, one.kind, one.subject, one.body, prev]
            prev = entry_hash(fields)
            new = {"at": one.at + 1, "prev": fields[6], "hash": prev}
            connection.execute(sa.update(LEDGER).where(LEDGER.c.seq == one.seq).values(**new))
    with book.looking() as connection:
        assert verify(connection, book.sealer).problems == []
        assert verify(connection, book.sealer, noted).problems != []


def test_a_notice_for_every_door_is_one_commit(site):
    """However many doors there are: a card or disk takes some milliseconds for each."""
    site.look()
    commits: list[object] = []
    sa.event.listen(site.engine, "commit", commits.append)
    site.put()
    assert set(site.look()) == {"gate", "lobby-3", "lobby-5"}
    assert len(commits) == 1
