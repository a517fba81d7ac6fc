"""`facegate policy`: check access rules, and try them on the past before they act."""

from __future__ import annotations

from collections import Counter
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from edge.cli.data_dir import data_option
from edge.cli.events import parse_since
from edge.cli.past import all_events
from edge.config.load import read_text
from edge.entry_facts import EntryFacts
from edge.errors import ConfigError, StoreError
from edge.lazy_group import ToldGroup
from edge.policy.modes import Mode
from edge.policy.rules_toml import parse_rules
from edge.policy.simulate import simulate as replayed
from edge.runtime.json_lines import json_line
from edge.store.residents import RESIDENTS_FILE, ResidentStore

if TYPE_CHECKING:
    from datetime import datetime

    from edge.domain import Resident
    from edge.policy.rulebook import RuleBook, UsualMode
    from edge.policy.simulate import DecisionChange, Simulation

RULES = click.option(
    "--rules",
    type=click.Path(path_type=Path),
    required=True,
    help="The access rules to look at, a TOML file.",
)


@click.group(cls=ToldGroup)
def policy() -> None:
    """Check access rules and try them on past events.

    Example: facegate policy simulate --rules new.toml --since 7d
    """


@policy.command()
@RULES
def check(rules: Path) -> None:
    """Read the rules and list every mistake, each with its place and the way out.

    Example: facegate policy check --rules rules.toml
    """
    book = load_rules(rules)
    zone = book.calendar.zone.key
    click.echo(f"{rules}: {len(book.levels)} level(s), {len(book.groups)} group(s), time zone {zone}")
    for line in lines_of(book):
        click.echo(f"  {line}")


@policy.command()
@data_option
@RULES
@click.option(
    "--since",
    callback=parse_since,
    default="7d",
    show_default=True,
    metavar="TIME",
    help="How far back: 2h, 7d, or an ISO time.",
)
@click.option("--strict-clock", is_flag=True, help="Count events of an unsynchronised clock as timeless.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object per change, then the totals.")
def simulate(data: Path, rules: Path, since: datetime, strict_clock: bool, as_json: bool) -> None:
    """List what would have changed, had these rules been in force. Nothing is altered.

    The roster is taken as it is now; who was recognised stays as recorded.

    Example: facegate policy simulate --rules new.toml --since 7d
    """
    roster = read_roster(data)
    result = replayed(all_events(data, since), load_rules(rules), roster.get, strict_clock=strict_clock)
    for change in result.changes:
        click.echo(json_line(_row(change)) if as_json else line_of(change))
    click.echo(json_line(_totals(result)) if as_json else summary_of(result))


def lines_of(book: RuleBook) -> list[str]:
    """Return what each level allows and how each door stands, one line each, defaults included."""
    lines = []
    for level in book.levels.values():
        doors, methods = ", ".join(sorted(level.doors)), ", ".join(sorted(level.methods))
        more = ["passes a lock-down"] * level.passes_lockdown + ["answers a challenge"] * level.is_strict
        told = [f"doors {doors}", f"schedule {level.schedule.name}", f"methods {methods}", *more]
        lines.append(f"level {level.name}: {'; '.join(told)}")
    firsts = ", ".join(level.name for level in book.levels.values() if level.is_first_person) or "nobody"
    for name, usual in book.usual_modes.items():
        lines.append(f"door {name}: {_stands(usual, firsts)}")
    return lines


def _stands(usual: UsualMode, firsts: str) -> str:
    match usual.mode:
        case Mode.UNLOCKED:
            return "unlocked for everybody, day and night"
        case Mode.SCHEDULED:
            return f"unlocked for everybody during {usual.schedule.name}"
        case Mode.FIRST_PERSON_IN:
            hours = usual.schedule.name
            return f"unlocked for everybody during {hours}, once somebody came in with one of: {firsts}"
        case mode:
            return str(mode)


def load_rules(path: Path) -> RuleBook:
    """Return the rules in `path`. Raises `ConfigError` with every mistake."""
    try:
        return parse_rules(read_text(path), str(path))
    except OSError as error:
        raise ConfigError(f"{path}: the access rules cannot be read: {error}") from error


def read_roster(data: Path) -> dict[str, Resident]:
    """Return all residents by id. Raises `StoreError` when nobody was ever enrolled here."""
    path = data / RESIDENTS_FILE
    if not path.exists():
        raise StoreError(f"{path}: there are no residents yet; `facegate enrol` adds them")
    with closing(ResidentStore(path)) as store:
        return {resident.id: resident for resident in store.list()}


def line_of(change: DecisionChange) -> str:
    """Return one event and how it would have gone."""
    event, answer = change.event, change.answer
    then = f"{event.at:%Y-%m-%d %H:%M:%S} UTC  #{event.seq}  {event.door_id}  {event.resident_id}"
    return f"{then}  {EntryFacts.read(event.data).method}  {event.reason} -> {answer.reason} ({answer.rule})"


def _row(change: DecisionChange) -> dict[str, Any]:
    """Return a change for programs."""
    event, answer = change.event, change.answer
    return {
        "seq": event.seq,
        "at": event.at,
        "door": event.door_id,
        "person": event.resident_id,
        "method": EntryFacts.read(event.data).method,
        "was": event.reason,
        "would_be": answer.reason,
        "rule": answer.rule,
        "is_allowed": answer.allowed,
    }


def _totals(result: Simulation) -> dict[str, Any]:
    """Return the totals for programs, under the same names as the sentence's words."""
    return {
        "openings": result.openings,
        "refusals": result.refusals,
        "replayed": result.replayed,
        "newly_refused": len(result.newly_refused),
        "newly_allowed": len(result.newly_allowed),
        "changes": len(result.changes),
    }


def summary_of(result: Simulation) -> str:
    """Return the totals in one sentence."""
    refused, allowed = len(result.newly_refused), len(result.newly_allowed)
    other = len(result.changes) - refused - allowed
    reasons = Counter(str(change.answer.reason) for change in result.newly_refused)
    why = f" ({', '.join(f'{count} {reason}' for reason, count in reasons.most_common())})" if reasons else ""
    return (
        f"{refused} of {result.openings} openings would have been refused{why}; "
        f"{allowed} of {result.refusals} refusals would have been openings; "
        f"{other} refusals would have had another reason"
    )
