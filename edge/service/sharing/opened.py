"""Whose access levels are about this door: each person is looked up once, and again when they change."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edge.policy.methods import Method

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from edge.policy.access import AccessRules
    from edge.store.residents import ResidentStore

FACES = (Method.FACE, Method.FACE_PIN)


class OpenedHere:
    """Says of whom any level is about this door and a face, whatever the time. One thread.

    Thousands are asked about at once, and a record has to be opened for each answer; `rules` returns
    those of now.
    """

    def __init__(self, store: ResidentStore, rules: Callable[[], AccessRules]) -> None:
        self._store = store
        self._rules = rules
        self._asked: AccessRules | None = None
        self._version = -1
        self._known: dict[str, bool] = {}

    def __call__(self, people: Iterable[str]) -> frozenset[str]:
        """Return those of these residents whose levels are about this door. Raises `StoreError`."""
        rules = self._follow()
        known = self._known
        for who in (given := list(people)):
            if who not in known:
                known[who] = self._opens(rules, who)
        return frozenset(who for who in given if known[who])

    def _follow(self) -> AccessRules:
        """Forget what has changed since the last question, and return the rules of now."""
        rules = self._rules()
        if rules is not self._asked:
            self._asked, self._known = rules, {}
        if self._version != self._store.version():
            changes = self._store.changes_since(self._version)
            for who in (*changes.put, *changes.removed):
                self._known.pop(who, None)
            self._version = changes.version
        return rules

    def _opens(self, rules: AccessRules, who: str) -> bool:
        resident = self._store.get(who)
        return resident is not None and any(rules.levels_here(resident, method) for method in FACES)
