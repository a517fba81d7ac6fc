"""One person in the roster: read strictly, because it decides who gets in."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

from edge.domain import Resident
from edge.errors import SyncError
from edge.wire.compound import Listing, Maybe, Table
from edge.wire.faces.certificate import CERTIFICATE
from edge.wire.shapes import Flag, Text, Time, Whole, require

MAX_RECORD_BYTES = 8 * 1024
MOST_LEVELS = 32
MOST_FACES = 2
"""Certificates in a record: while a site changes its model, a face of each."""
FACES = "faces"
"""A field that doors of an older version do not know, and what a door that reads both says so with."""
WAYS_ENDED = "ways_ended"
"""The other field: a number that grows when somebody's PINs and cards are taken back everywhere."""

BEGUN = "begun"
"""The third: at which revision the id came onto the roster. Who knows it from before knows somebody else."""

OF_THE_HUB = (FACES, WAYS_ENDED, BEGUN)
"""What the hub writes into a record, and no list of people."""

RECORD = Table(
    {
        "id": Text(128, about="of one person while it is on the roster"),
        "name": Text(200),
        "access_levels": Listing(Text(64), MOST_LEVELS, about='default: ["resident"]'),
        "valid_from": Maybe(Time()),
        "valid_until": Maybe(Time()),
        "extended_unlock": Flag("needs more time at the door"),
        "consent_id": Maybe(Text(128)),
        WAYS_ENDED: Whole(about="grows: a door then takes back the PINs and cards it knows; as `faces`"),
        BEGUN: Whole(about="the revision at which the id came onto the roster, given by the hub; as `faces`"),
        FACES: Listing(CERTIFICATE, MOST_FACES, 1, about="only for doors that say they read it"),
    },
    optional=frozenset(
        {
            "access_levels",
            "valid_from",
            "valid_until",
            "extended_unlock",
            "consent_id",
            *OF_THE_HUB,
        }
    ),
    about=f"one person; at most {MAX_RECORD_BYTES} bytes; templates are not among the fields",
)


def canonical_record(fields: dict[str, Any]) -> str:
    """Return the one text of a record that both sides hash: keys sorted, compact, UTF-8."""
    return json.dumps(fields, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def without_faces(text: str) -> str:
    """Return a canonical record without its certificates of faces."""
    return _without(text, (FACES,))


def plain_record(text: str) -> str:
    """Return a canonical record as doors of an older version know it."""
    return _without(text, OF_THE_HUB)


def ways_ended(text: str) -> int:
    """Return when a canonical record last ended PINs and cards; 0: never."""
    return _number(text, WAYS_ENDED)


def begun(text: str) -> int:
    """Return at which revision the id of a canonical record came onto the roster; 0: not told."""
    return _number(text, BEGUN)


def _number(text: str, name: str) -> int:
    # A canonical record has no blank before a colon, and within a text a quote is written \": where these
    # letters are not there is no such field, and most records need not be parsed.
    return int(json.loads(text).get(name, 0)) if f'"{name}":' in text else 0


def _without(text: str, names: tuple[str, ...]) -> str:
    # As in `_number`.
    if not any(f'"{name}":' in text for name in names):
        return text
    return canonical_record({name: value for name, value in json.loads(text).items() if name not in names})


def parse_record(fields: Any) -> tuple[Resident, str]:
    """Return (resident, canonical text). Raises `SyncError` naming the field that is wrong.

    Templates are not among the fields: what travels of a face is its certificate.
    """
    require(RECORD, fields, "record")
    return take_record(fields)


def take_record(fields: dict[str, Any]) -> tuple[Resident, str]:
    """Return the same for fields that have the shape of a record already."""
    text = canonical_record(fields)
    if (size := len(text.encode())) > MAX_RECORD_BYTES:
        raise SyncError(f"record {fields['id']!r}: {size} bytes; at most {MAX_RECORD_BYTES}")
    return _resident(fields), text


def _resident(fields: dict[str, Any]) -> Resident:
    return Resident(
        id=fields["id"],
        name=fields["name"],
        access_levels=tuple(fields.get("access_levels", ["resident"])),
        valid_from=_time(fields.get("valid_from")),
        valid_until=_time(fields.get("valid_until")),
        extended_unlock=fields.get("extended_unlock", False),
    )


def _time(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)
