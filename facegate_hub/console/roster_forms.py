"""What the forms of people at the doors say, as a record of the roster."""

from __future__ import annotations

import hashlib
import json
from datetime import UTC, date, datetime, time, timedelta
from typing import TYPE_CHECKING, Any

from edge.errors import CommunityRefused
from edge.identity import access_levels, person_name
from edge.wire.records import canonical_record, plain_record
from edge.words import message

if TYPE_CHECKING:
    from collections.abc import Mapping

    from facegate_hub.people import RosterPeople
    from facegate_hub.web.asking import PageAsk


def record_from(ask: PageAsk, identity: str, before: Mapping[str, Any]) -> dict[str, Any]:
    """Return somebody's record: `before` with what the form says. Raises `CommunityRefused`."""
    named = {
        "id": identity,
        "name": person_name(ask.form.get("name", "")),
        "access_levels": list(access_levels(ask.form.get("levels", ""))),
    }
    days = {
        "valid_from": _moment(ask, ask.form.get("valid_from", ""), 0),
        "valid_until": _moment(ask, ask.form.get("valid_until", ""), 1),
    }
    if days["valid_from"] and days["valid_until"] and days["valid_from"] >= days["valid_until"]:
        raise CommunityRefused(message("panel.times_crossed"))
    record = {**before, **named, **days}
    return {name: value for name, value in record.items() if value not in (None, [])}


def rights_mark(record: Mapping[str, Any]) -> str:
    """Return what stands, in the form that shows them, for a record's name, levels and days."""
    shown = [record.get(name) for name in ("name", "access_levels", "valid_from", "valid_until")]
    return hashlib.sha256(json.dumps(shown).encode()).hexdigest()[:16]


def list_mark(before: Mapping[str, Mapping[str, Any] | None]) -> str:
    """Return what stands, on the page that shows a list, for what there was of its people."""
    shown = [
        (name, record and plain_record(canonical_record(dict(record)))) for name, record in before.items()
    ]
    return hashlib.sha256(json.dumps(sorted(shown)).encode()).hexdigest()[:16]


def require_unchanged(ask: PageAsk, before: Mapping[str, Any]) -> None:
    """Refuse a form that was made from another record than there is now.

    It holds all of somebody's rights: whoever saves a name would give a level back that was taken meanwhile.
    """
    if ask.form.get("seen", rights_mark(before)) != rights_mark(before):
        raise CommunityRefused(message("error.person_changed"))


def require_meant(ask: PageAsk, people: RosterPeople, records: list[dict[str, Any]]) -> None:
    """Refuse a slip in an access level, which would leave somebody at the gate, unless it is meant."""
    doubtful = {} if "new_level" in ask.form else people.doubtful_levels(records)
    for level, near in doubtful.items():
        raise CommunityRefused(message("community.refused.level", level=level, near=near))


def require_apart(people: RosterPeople, identity: str) -> None:
    """Refuse a new number that reads like somebody's who is there: they may be one person."""
    if other := people.reading_like(identity):
        about = {"id": identity, "other": other.id, "name": other.record["name"]}
        raise CommunityRefused(message("community.refused.alike", **about))


def shown_day(ask: PageAsk, moment: str | None, ends: int) -> str:
    """Return the day of a moment as a form has it; with `ends` 1 midnight is the end of the day before."""
    if moment is None:
        return ""
    at = datetime.fromisoformat(moment).astimezone(ask.office.terms.zone)
    return (at - timedelta(microseconds=ends)).date().isoformat()


def _moment(ask: PageAsk, day: str, more_days: int) -> str | None:
    """Return when the site's day begins, or with one more day when it ends. Raises `CommunityRefused`."""
    if not day.strip():
        return None
    try:
        begins = date.fromisoformat(day.strip()) + timedelta(days=more_days)
        at = datetime.combine(begins, time(), tzinfo=ask.office.terms.zone)
        return at.astimezone(UTC).isoformat(timespec="seconds")
    except (ValueError, OverflowError) as error:
        raise CommunityRefused(message("error.time", text=day[:40])) from error
