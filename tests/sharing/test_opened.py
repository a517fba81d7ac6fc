"""Whose levels are about this door: looked up once, and again as soon as anything about it changes."""

from __future__ import annotations

from contextlib import closing
from zoneinfo import ZoneInfo

import pytest

from edge.domain import Resident
from edge.policy.access import AccessRules
from edge.policy.rulebook import Level, RuleBook
from edge.policy.schedule import Calendar
from edge.service.sharing.opened import OpenedHere
from edge.store.residents import RESIDENTS_FILE, ResidentStore


class CountedStore:
    """A store that counts how often a record is opened."""

    def __init__(self, store):
        self.store, self.opened = store, []
        self.version, self.changes_since = store.version, store.changes_since

    def get(self, who):
        self.opened.append(who)
        return self.store.get(who)


@pytest.fixture
def store(tmp_path):
    with closing(ResidentStore(tmp_path / RESIDENTS_FILE)) as found:
        found.put(Resident("anna", "Anna", access_levels=("tenants",)), ())
        found.put(Resident("otto", "Otto", access_levels=("staff",)), ())
        yield CountedStore(found)


def rules(*names):
    levels = {name: Level(name, doors=frozenset({"gate"})) for name in names}
    return AccessRules(RuleBook(Calendar(ZoneInfo("UTC")), levels=levels), "gate", lambda _: None)


def test_each_is_looked_up_once_until_something_about_them_changes(store):
    now = rules("tenants", "guests")
    opened = OpenedHere(store, lambda: now)
    for _ in range(3):
        assert opened(["anna", "otto", "nobody"]) == {"anna"}
    assert sorted(store.opened) == ["anna", "nobody", "otto"]

    store.store.put(Resident("otto", "Otto", access_levels=("guests",)), ())
    assert opened(["anna", "otto"]) == {"anna", "otto"}
    store.store.remove("anna")
    assert opened(["anna", "otto"]) == {"otto"}
    assert store.opened.count("otto") == 2


def test_whoever_becomes_a_resident_later_is_looked_up_again(store):
    now = rules("tenants")
    opened = OpenedHere(store, lambda: now)
    assert opened(["new"]) == frozenset()
    store.store.put(Resident("new", "New", access_levels=("tenants",)), ())
    assert opened(["new"]) == {"new"}


def test_other_rules_are_asked_afresh(store):
    now = [rules("tenants")]
    opened = OpenedHere(store, lambda: now[0])
    assert opened(["anna", "otto"]) == {"anna"}
    now[0] = rules("staff")
    assert opened(["anna", "otto"]) == {"otto"}
