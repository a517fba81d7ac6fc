"""Flats as people write them: `3栋1203`, `３幢１２０３室` and `3 - 1203` are the flat 3-1203."""

from __future__ import annotations

import re
from collections import defaultdict
from typing import TYPE_CHECKING

import sqlalchemy as sa

from edge.errors import CommunityRefused
from edge.spellings import flat_key, flat_written
from edge.words import message
from facegate_hub.community.schema import FLATS

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from sqlalchemy.engine import Connection

MOST_FLAT = 32
"""Characters of a flat's number, such as 3-1203."""
MOST_FLATS = 20_000
_NUMBER = re.compile(r".*\d.*")
_WORDS = re.compile(r"[\w-]+")
_APART = re.compile(r"\s+(?=(?:号楼|號樓|楼栋|栋|棟|幢|座|楼|樓)(?:[\s和及与與]|$))")
"""Between a building and the word for it, as the pages show it: 3 栋."""
_SPOKEN = re.compile(r"(?:buildings?|bldg\.?)\s+(?=\S)|\s+(?:and|&|[和及与與])(?=\s)", re.IGNORECASE)
_AND = re.compile("(?<=[楼樓栋棟幢座])[和及与與]")
BETWEEN_FLATS = re.compile("[,;，；、\t\r\n]+")
"""What people write between several flats; a blank may stand inside one."""


def flat_parts(text: str) -> tuple[str, str, str] | None:
    """Return (flat, building, number in it) of a new flat; None where building or number is missing."""
    key = flat_written(text)
    building, _, unit = key.partition("-")
    if not building or not _NUMBER.fullmatch(unit) or not _WORDS.fullmatch(key) or len(key) > MOST_FLAT:
        return None
    return key, building, unit


class KnownFlats:
    """The flats that there are, read once, to be found however somebody writes them."""

    def __init__(self, connection: Connection) -> None:
        self._ids = set(connection.execute(sa.select(FLATS.c.id)).scalars())
        self._alike: defaultdict[str, list[str]] = defaultdict(list)
        for one in self._ids:
            self._alike[flat_key(one)].append(one)

    def find(self, typed: str) -> str | None:
        """Return the flat that is meant; None when there is none, or when several have this spelling."""
        if typed in self._ids:
            return typed
        alike = self._alike.get(flat_key(typed), [])
        return alike[0] if len(alike) == 1 else None


def flat_called(connection: Connection, typed: str) -> str:
    """Return the flat that somebody typed. Raises `CommunityRefused` for one that is not there."""
    # The exact spelling is the usual case. It saves reading all flats while other writers wait for the lock.
    if connection.execute(sa.select(FLATS.c.id).where(FLATS.c.id == typed)).first() is not None:
        return typed
    found = KnownFlats(connection).find(typed)
    if found is None:
        raise CommunityRefused(message("community.refused.flat", flat=typed.strip()[:32]))
    return found


def flats_in(connection: Connection, text: str) -> list[str]:
    """Return the flats of a text, as typed where they are not known; blanks part them where they must."""
    known = KnownFlats(connection)
    found: list[str] = []
    for piece in filter(str.strip, BETWEEN_FLATS.split(text)):
        whole = known.find(piece)
        found += [whole] if whole else [known.find(one) or one for one in piece.split()]
    return list(dict.fromkeys(found))


def buildings_in(known: Collection[str], pieces: Iterable[str]) -> list[str]:
    """Return the buildings that pieces of a text name, each once; as typed where they are not known.

    A piece may name several, as in `3 栋 5 栋`, `三号楼和五号楼` or `Building 3 and 5`.
    """
    called = {flat_key(one): one for one in known}
    found: list[str] = []
    for piece in pieces:
        whole = piece.strip() if piece.strip() in known else called.get(flat_key(piece))
        several = _AND.sub(" ", _SPOKEN.sub("", _APART.sub("", piece))).split() or [piece]
        found += [whole] if whole else [called.get(flat_key(one), one) for one in several]
    return list(dict.fromkeys(found))


def new_flats(known: Collection[str], text: str) -> tuple[list[tuple[str, str, str]], list[str]]:
    """Return (flats of a text that are not among `known`, lines that name none), each once.

    A building keeps the spelling of its flats: beside 3-1203 a new 03-1204 is the flat 3-1204. Raises
    `CommunityRefused` where a compound would have more than `MOST_FLATS`.
    """
    keys = {flat_key(one) for one in known}
    buildings = {flat_key(one): one for one in (flat.partition("-")[0] for flat in known)}
    fresh: dict[str, tuple[str, str, str]] = {}
    bad: list[str] = []
    for piece in filter(str.strip, BETWEEN_FLATS.split(text)):
        parts = flat_parts(piece)
        if parts is None:
            bad.append(piece.strip())
        elif (key := flat_key(piece)) not in keys:
            _, building, unit = parts
            building = buildings.setdefault(flat_key(building), building)
            fresh.setdefault(key, (f"{building}-{unit}", building, unit))
    if len(known) + len(fresh) > MOST_FLATS:
        raise CommunityRefused(message("community.refused.flats", most=MOST_FLATS))
    return list(fresh.values()), bad
