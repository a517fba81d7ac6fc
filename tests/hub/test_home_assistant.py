"""What Home Assistant is shown goes again, whatever becomes of the connection meanwhile."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, cast

import pytest
import sqlalchemy as sa

from edge.broker.session import BrokerSession
from edge.site.integrations import IntegrationGrant
from facegate_hub.home_assistant import HomeAssistantPart
from facegate_hub.tables import ANNOUNCED, open_tables

if TYPE_CHECKING:
    from facegate_hub.signer.client import SignerClient

GRANT = IntegrationGrant("home", ("front",), ("unlock",), home_assistant="homeassistant")


class Kept(BrokerSession):
    """A connection to a broker that keeps what is retained."""

    def __init__(self, retained):
        self.retained, self.owed = retained, []

    def publish(self, topic, payload, *, retain=False, **_more: Any):
        assert retain
        self.retained[topic] = payload
        self.owed.append(len(self.retained))
        return self.owed[-1]


class Grants:
    """Stands for the signer: knows the integrations."""

    def __init__(self):
        self.all = [GRANT]

    def integrations(self):
        return self.all


class Home:
    """A hub's part, what is granted, and what the broker keeps."""

    def __init__(self, folder):
        self.engine = open_tables(f"sqlite:///{folder}/hub.db")
        self.grants, self.retained = Grants(), {}
        self.restart()
        self.connect()

    def restart(self):
        self.part = HomeAssistantPart(self.engine, cast("SignerClient", self.grants))

    def connect(self):
        self.session = Kept(self.retained)
        self.part.opened(self.session, time.monotonic())

    def look(self):
        self.part.idle()
        self.part.step(self.session, time.monotonic())
        for mid in self.session.owed:
            self.part.taken(mid, None, time.monotonic())
        self.session.owed = []

    @property
    def shown(self):
        return {topic for topic, payload in self.retained.items() if payload}

    @property
    def noted(self):
        with self.engine.connect() as connection:
            return set(connection.execute(sa.select(ANNOUNCED.c.topic)).scalars())


@pytest.fixture
def home(tmp_path):
    home = Home(tmp_path)
    home.look()
    assert home.shown
    assert home.shown == home.noted
    yield home
    home.engine.dispose()


def test_what_ended_is_taken_away_and_forgotten_then(home):
    home.grants.all = []
    home.look()
    assert not home.shown
    home.look()
    assert not home.noted


def test_what_ended_before_the_first_connection_is_taken_away_with_it(home):
    home.restart()
    home.grants.all = []
    home.part.idle()
    home.part.idle()
    home.connect()
    home.look()
    assert not home.shown


def test_a_connection_that_ends_meanwhile_keeps_nothing_shown(home):
    home.grants.all = []
    home.part.idle()
    home.connect()
    home.look()
    assert not home.shown


def test_what_is_granted_again_is_shown_again(home):
    home.grants.all = []
    home.look()
    home.grants.all = [GRANT]
    home.look()
    assert home.shown == home.noted
    assert home.shown
    home.look()
    assert home.shown == home.noted
