"""The consent ledger: recorded, withdrawn, never lost."""

from __future__ import annotations

import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from datetime import UTC, datetime, timedelta

import pytest

from edge.domain import Consent
from edge.errors import StoreError
from edge.store.consents import ConsentLedger
from tests.waiting import wait_until

AT = datetime(2026, 1, 5, 12, tzinfo=UTC)


def consent(number, resident_id="anna", **fields):
    at = AT + timedelta(days=number)
    return Consent(f"c{number}", resident_id, at, "2026-1", "zh", "door", "installer", **fields)


def test_a_consent_comes_back_as_it_was_given(tmp_path):
    given = consent(1, is_minor=True, guardian="李梅")
    with closing(ConsentLedger(tmp_path / "consents.db")) as ledger:
        ledger.record(given)
    with closing(ConsentLedger(tmp_path / "consents.db")) as ledger:
        assert ledger.get("c1") == given
        assert ledger.get("c2") is None


def test_a_withdrawal_ends_every_consent_of_that_person_alone(tmp_path):
    with closing(ConsentLedger(tmp_path / "consents.db")) as ledger:
        for one in (consent(1), consent(2), consent(3, "otto")):
            ledger.record(one)

        assert ledger.withdraw("anna", AT) == 2
        assert ledger.withdraw("anna", AT) == 0
        assert set(ledger.in_force()) == {"c3"}
        assert [one.withdrawn_at for one in ledger.of("anna")] == [AT, AT]
        ledger.keep_receipt("anna", "FGR1.x.y")
        assert ledger.receipt_of("anna") == "FGR1.x.y"
        assert ledger.receipt_of("otto") is None


def test_an_id_is_given_once(tmp_path):
    with closing(ConsentLedger(tmp_path / "consents.db")) as ledger:
        ledger.record(consent(1))
        with pytest.raises(StoreError, match="UNIQUE"):
            ledger.record(consent(1, "otto"))


def test_the_mark_changes_with_every_change_by_whomever(tmp_path):
    path = tmp_path / "consents.db"
    with closing(ConsentLedger(path)) as ledger, closing(ConsentLedger(path)) as other:
        marks = [ledger.mark(), ledger.mark()]
        ledger.record(consent(1))
        marks.append(ledger.mark())
        other.withdraw("anna", AT)
        marks.append(ledger.mark())

    assert marks[0] == marks[1]
    assert len(set(marks)) == 3


def test_a_file_that_took_the_place_of_the_former_one_has_another_mark(tmp_path):
    """Else who has withdrawn in it would go on being matched by a running door."""
    path, other = tmp_path / "consents.db", tmp_path / "other"
    with closing(ConsentLedger(path)) as ledger:
        ledger.record(consent(1))
    shutil.copytree(tmp_path, other)
    with closing(ConsentLedger(other / "consents.db")) as restored:
        restored.withdraw("anna", AT)
    with closing(ConsentLedger(path)) as ledger:
        before = ledger.mark()
        assert set(ledger.in_force()) == {"c1"}
        (other / "consents.db").replace(path)
        wait_until(lambda: not ledger.in_force())
        assert ledger.mark() != before


def test_the_receipt_of_an_earlier_withdrawal_stays_when_a_later_one_is_completed(tmp_path):
    with closing(ConsentLedger(tmp_path / "consents.db")) as ledger:
        for number, receipt in ((1, "FGR1.first"), (2, "FGR1.second")):
            ledger.record(consent(number))
            ledger.withdraw("anna", AT + timedelta(days=number))
            ledger.keep_receipt("anna", receipt)
        ledger.complete_receipt("anna", "FGR1.all-doors")
        assert ledger.receipt_of("anna") == "FGR1.all-doors"
        ledger.complete_receipt("anna", "FGR1.again")
        found = sqlite3.connect(tmp_path / "consents.db").execute("SELECT receipt FROM consents ORDER BY id")
        assert [row[0] for row in found] == ["FGR1.first", "FGR1.again"]


def test_the_last_use_of_a_face_never_goes_back_and_goes_with_the_consent(tmp_path):
    with closing(ConsentLedger(tmp_path / "consents.db")) as ledger:
        ledger.note_uses({"anna": AT, "otto": AT})
        ledger.note_uses({"anna": AT - timedelta(days=1), "otto": AT + timedelta(days=1)})
        assert ledger.last_used() == {"anna": AT, "otto": AT + timedelta(days=1)}
        ledger.withdraw("anna", AT)
        assert set(ledger.last_used()) == {"otto"}


def test_a_second_connection_closed_here_does_not_cut_the_first_off_from_other_processes(tmp_path):
    """A plain open and close of the file would drop this process's locks: the log is then deleted."""
    path = tmp_path / "consents.db"
    write = (
        "import sqlite3, sys\n"
        "connection = sqlite3.connect(sys.argv[1], isolation_level=None)\n"
        "connection.execute(\"INSERT INTO uses VALUES (?, '2026-01-05T00:00:00+00:00')\", sys.argv[2:])\n"
        "connection.close()\n"
    )
    ConsentLedger(path).close()
    with closing(ConsentLedger(path)) as first:
        first.note_uses({"otto": AT})
        ConsentLedger(path).close()
        for who in ("anna", "mei"):
            subprocess.run([sys.executable, "-c", write, str(path), who], check=True)

        assert set(first.last_used()) == {"anna", "mei", "otto"}


@pytest.mark.parametrize("at", [100, 103, 121, 3450])
def test_a_wrong_bit_in_the_list_of_tables_costs_no_consent(tmp_path, at):
    """A card gave it at a start, and SQLite wrote it back with the page that it stood in."""
    path = tmp_path / "consents.db"
    with closing(ConsentLedger(path)) as ledger:
        for number in range(60):
            ledger.record(consent(number, f"flat-{number}"))
    with path.open("r+b") as file:
        file.seek(at)
        byte = file.read(1)[0]
        file.seek(at)
        file.write(bytes([byte ^ 0x40]))
    with closing(ConsentLedger(path)) as ledger:
        assert len(ledger.in_force()) == 60
