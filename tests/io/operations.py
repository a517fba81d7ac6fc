"""What is cut short, and how the folder is judged afterwards: with the door's own code, as at a start."""

from __future__ import annotations

import os
import sys
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from edge.domain import EventDraft, Resident
from edge.errors import FacegateError
from edge.events import Kind
from edge.policy.modes import Mode, ModeState
from edge.runtime.kept_time import CLOCK_FILE, KeptTime, read_kept, write_kept
from edge.service.entry.kept import ModeFile
from edge.store.consents import CONSENTS_FILE, ConsentLedger, erase_face
from edge.store.credentials import CredentialStore
from edge.store.journal import SqliteJournal
from edge.store.key_source import change_key
from edge.store.mending import open_residents
from edge.store.residents import RESIDENTS_FILE, ResidentStore
from edge.store.retention import Retention
from edge.store.way_rows import CREDENTIALS_FILE, PIN_KEY_FILE
from tests.io.base import AT, CARDS, MODEL, PEOPLE, face
from tests.store.drafts import draft, open_journal

if TYPE_CHECKING:
    from collections.abc import Callable

MODES = (Mode.LOCKED_DOWN, Mode.NORMAL, Mode.EVACUATION)


def acknowledge(data: Path, text: str) -> None:
    """Say that `text` is promised from here on."""
    file = os.open(data / "ACK", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    os.write(file, (text + "\n").encode())
    os.close(file)


def journal(data: Path) -> None:
    """Store events."""
    with closing(open_journal(data / "journal.db", seed=3)) as opened:
        for number in range(30):
            acknowledge(data, f"event {opened.append(draft(100 + number)).id}")


def rotate(data: Path) -> None:
    """Change the site's key twice."""
    for _ in range(2):
        change_key(data)


def enrol(data: Path) -> None:
    """Enrol three people."""
    with (
        closing(ResidentStore(data / RESIDENTS_FILE)) as store,
        closing(ConsentLedger(data / CONSENTS_FILE)) as ledger,
    ):
        given = ledger.of(PEOPLE[0])[0]
        for number in range(3):
            who = f"new-{number}"
            ledger.record(replace(given, id=f"n-{number}", resident_id=who))
            store.put(Resident(who, who), [face(who, number, f"n-{number}")])
            acknowledge(data, f"enrolled {who}")


def withdraw(data: Path) -> None:
    """Let two people withdraw."""
    with (
        closing(ResidentStore(data / RESIDENTS_FILE)) as store,
        closing(ConsentLedger(data / CONSENTS_FILE)) as ledger,
    ):
        for who in PEOPLE[:2]:
            ledger.withdraw(who, datetime.now(UTC))
            erase_face(store, who)
            acknowledge(data, f"withdrawn {who}")


def remove(data: Path) -> None:
    """Remove two people."""
    with closing(ResidentStore(data / RESIDENTS_FILE)) as store:
        for who in PEOPLE[:2]:
            store.remove(who)
            acknowledge(data, f"removed {who}")


def cards(data: Path) -> None:
    """Hand out cards."""
    with closing(CredentialStore(data / CREDENTIALS_FILE)) as store:
        for number in range(4):
            store.put_card(f"hid:880{number}", PEOPLE[0])
            acknowledge(data, f"card hid:880{number}")


def cards_anew(data: Path) -> None:
    """Hand out the first cards of a folder that has none."""
    cards(data)


def mode(data: Path) -> None:
    """Command modes."""
    file = ModeFile(data / "mode.json")
    for one in MODES:
        file.save(ModeState(one, None, "desk"))
        acknowledge(data, f"mode {one}")


def clock(data: Path) -> None:
    """Raise the floor of the clock."""
    for hour in range(1, 4):
        floor = AT + timedelta(hours=hour)
        write_kept(data / CLOCK_FILE, KeptTime(floor))
        acknowledge(data, f"floor {floor.isoformat()}")


def prune(data: Path) -> None:
    """Remove old events."""
    Retention(data / "journal.db", 90, 4096).prune(AT + timedelta(days=1000))


def mend(data: Path) -> None:
    """Start with a damaged resident store."""
    store, _damage = open_residents(data / RESIDENTS_FILE, datetime.now(UTC))
    store.close()


def _many_events(data: Path) -> None:
    with closing(open_journal(data / "journal.db", seed=4)) as opened:
        for number in range(200):
            opened.append(draft(number))


def _no_credentials(data: Path) -> None:
    (data / CREDENTIALS_FILE).unlink()
    (data / PIN_KEY_FILE).unlink()


def _damaged_residents(data: Path) -> None:
    path = data / RESIDENTS_FILE
    content = bytearray(path.read_bytes())
    page = content.rfind(b"flat-106") // 4096
    content[page * 4096 : page * 4096 + 16] = b"\xff" * 16
    path.write_bytes(content)


def _nothing(data: Path) -> None:
    """Prepare nothing."""


@dataclass(frozen=True, slots=True)
class Operation:
    """What runs, and what was done to the folder before."""

    run: Callable[[Path], None]
    prepare: Callable[[Path], None] = _nothing


OPERATIONS = {
    "journal": Operation(journal),
    "rotate": Operation(rotate),
    "enrol": Operation(enrol),
    "withdraw": Operation(withdraw),
    "remove": Operation(remove),
    "cards": Operation(cards),
    "cards-anew": Operation(cards_anew, _no_credentials),
    "mode": Operation(mode),
    "clock": Operation(clock),
    "prune": Operation(prune, _many_events),
    "mend": Operation(mend, _damaged_residents),
}


def judge(name: str, data: Path, acknowledged: str) -> str:
    """Return "ok", or what of `acknowledged` is missing in the folder."""
    promised = [line.partition(" ")[::2] for line in acknowledged.splitlines()]
    try:
        for look in (_judge_journal, _judge_people, _judge_cards, _judge_files):
            if flaw := look(name, data, promised):
                return flaw
    except (FacegateError, OSError, ValueError) as error:
        return f"{type(error).__name__}: {str(error).replace(str(data), '')[:110]}"
    return "ok"


Promised = list[tuple[str, str]]


def _of(promised: Promised, what: str) -> list[str]:
    return [value for kind, value in promised if kind == what]


def _judge_journal(_name: str, data: Path, promised: Promised) -> str | None:
    with closing(
        SqliteJournal(data / "journal.db", "north", boot="after", clock_trust=lambda: "synced")
    ) as opened:
        opened.append(EventDraft(Kind.SERVICE_STARTED, AT, 0.0))
        opened.verify()
        there = {event.id for event in opened.read(0, 10_000)}
    if list(data.glob("journal.db.damaged*")):
        return "the journal was set aside"
    return "an acknowledged event is lost" if set(_of(promised, "event")) - there else None


def _judge_people(name: str, data: Path, promised: Promised) -> str | None:
    store, damage = open_residents(data / RESIDENTS_FILE, datetime.now(UTC))
    with closing(store), closing(ConsentLedger(data / CONSENTS_FILE)) as ledger:
        if damage is not None and name != "mend":
            return f"the residents were mended: {damage.why[:60]}"
        people = {one.id for one in store.list()}
        faces = {one.resident_id for one in store.templates(MODEL)}
        agreed = {one.resident_id for one in ledger.in_force().values()}
    if set(_of(promised, "enrolled")) - (people & faces & agreed):
        return "an acknowledged enrolment is lost"
    if set(_of(promised, "removed")) & people:
        return "a removed person is back"
    if set(_of(promised, "withdrawn")) & agreed:
        return "a withdrawn consent is back"
    least = {"withdraw": 4, "remove": 4, "mend": 1}.get(name, len(PEOPLE))
    return None if len(faces & people) >= least else f"only {len(faces & people)} faces"


def _judge_cards(name: str, data: Path, promised: Promised) -> str | None:
    with closing(CredentialStore(data / CREDENTIALS_FILE)) as store:
        known = set(store.cards())
    wanted = set(_of(promised, "card")) | (set() if name == "cards-anew" else set(CARDS))
    return "a card is lost" if wanted - known else None


def _judge_files(_name: str, data: Path, promised: Promised) -> str | None:
    kept = ModeFile(data / "mode.json").load()
    if said := _of(promised, "mode"):
        may_be = [str(one) for one in MODES][len(said) - 1 : len(said) + 1]
        if kept is None or str(kept.mode) not in may_be:
            return f"the mode is lost: {kept}"
    floor, floors = read_kept(data / CLOCK_FILE).floor, _of(promised, "floor")
    is_lost = bool(floors) and (floor is None or floor < datetime.fromisoformat(floors[-1]))
    return f"the clock's floor is lost: {floor}" if is_lost else None


def main() -> None:
    """Run one operation. Arguments: folder, control file, name."""
    folder, _control, name = sys.argv[1:]
    OPERATIONS[name].run(Path(folder))
    sys.stdout.write("{}\n")


if __name__ == "__main__":
    main()
