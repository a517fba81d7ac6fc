"""One ticket as a file that can be handed on, for example to the street office, with its proof.

The file has each entry with all fields that its hash covers, and each text and picture with its salt. Whoever
has it can recompute every hash and mark without asking anybody (`check_dossier`). A receipt, `verify --noted`
or a door's journal shows that the book still contains these entries.
"""

from __future__ import annotations

import base64
import hmac
import json
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from edge.errors import CommunityRefused
from edge.words import message
from facegate_hub.community.book import entry_hash, mark_of
from facegate_hub.community.machine import Part
from facegate_hub.community.schema import CONTENTS, LEDGER

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlalchemy.engine import Connection

    from facegate_hub.community.book import Book
    from facegate_hub.community.parts import Asker
    from facegate_hub.community.tickets import Tickets

FIELDS = ("seq", "at", "actor", "kind", "subject", "body", "prev")
"""What an entry's hash covers, in this order."""


def may_have_dossier(parts: frozenset[Part]) -> bool:
    """Return whether somebody may take a ticket elsewhere: who reported it, or follows it."""
    return bool(parts & {Part.REQUESTER, Part.FOLLOWER})


def require_dossier(parts: frozenset[Part]) -> None:
    """Raise `CommunityRefused` for others than who reported the ticket, or follows it."""
    if not may_have_dossier(parts):
        raise CommunityRefused(message("community.refused.not_yours"))


def dossier_of(book: Book, tickets: Tickets, asker: Asker, number: int) -> dict[str, Any]:
    """Return a ticket's dossier as JSON values. Raises `CommunityRefused` for others than its requester."""
    require_dossier(tickets.sheet(asker, number).parts)
    with book.looking() as connection:
        head = book.head(connection)
        mine = sa.select(LEDGER).where(LEDGER.c.subject == f"ticket:{number}").order_by(LEDGER.c.seq)
        entries = [
            {name: getattr(row, name) for name in (*FIELDS, "hash")} for row in connection.execute(mine)
        ]
        marks = {mark for entry in entries for mark in json.loads(entry["body"])["kept"]}
        contents = [_content(book, row) for row in _rows(connection, marks)]
    return {
        "v": 1,
        "ticket": number,
        "made_at": book.now(),
        "head": {"entry": head[0], "hash": head[1]},
        "entries": entries,
        "contents": sorted(contents, key=lambda one: str(one["mark"])),
    }


def check_dossier(dossier: Mapping[str, Any]) -> list[str]:
    """Return what is wrong with a dossier; an empty list means that nothing in it was changed.

    Raises `ValueError`, `KeyError` or `TypeError` for data that is not a dossier.
    """
    problems, kept = [], set()
    subject = f"ticket:{int(dossier['ticket'])}"
    for entry in dossier["entries"]:
        seq = int(entry["seq"])
        digest = entry_hash([entry[name] for name in FIELDS])
        if not hmac.compare_digest(digest, str(entry["hash"])):
            problems.append(f"entry {seq} was changed")
        if entry["subject"] != subject:
            problems.append(f"entry {seq} is of another ticket")
        kept |= set(json.loads(entry["body"])["kept"])
    numbers = [int(entry["seq"]) for entry in dossier["entries"]]
    if numbers != sorted(set(numbers)) or not numbers:
        problems.append("the entries are not in their order")
    for content in dossier["contents"]:
        plain = base64.b64decode(content["base64"])
        mark = mark_of(bytes.fromhex(content["salt"]), str(content["owner"]), plain)
        if mark != content["mark"] or mark not in kept:
            problems.append(f"the content {str(content['mark'])[:12]} was changed or is of no entry")
    return problems


def _rows(connection: Connection, marks: set[str]) -> list[sa.Row[Any]]:
    return list(connection.execute(sa.select(CONTENTS).where(CONTENTS.c.mark.in_(marks))))


def _content(book: Book, row: sa.Row[Any]) -> dict[str, str]:
    plain = book.sealer.open(row.sealed, row.mark.encode())
    return {
        "mark": row.mark,
        "owner": row.owner,
        "salt": row.salt.hex(),
        "base64": base64.b64encode(plain).decode(),
    }
