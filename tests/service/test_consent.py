"""No record, no match: what reaches a gallery."""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import pytest

from edge.consent.notice import GREETING_NOTICE
from edge.consent.rules import GREETING, Statement, consent_from
from edge.domain import Resident, Template
from edge.errors import StoreError
from edge.service.chores.retention import finish_withdrawals
from edge.service.recognition.consent import ConsentGate
from edge.store.consents import ConsentLedger
from edge.store.residents import ResidentStore

AT = datetime(2026, 1, 5, tzinfo=UTC)


@pytest.fixture
def ledger(tmp_path):
    with closing(ConsentLedger(tmp_path / "consents.db")) as opened:
        yield opened


@pytest.fixture
def store(tmp_path):
    with closing(ResidentStore(tmp_path / "residents.db")) as opened:
        yield opened


def template(resident_id, consent_id=None):
    vector = np.zeros(8, np.float32)
    vector[0] = 1
    return Template(resident_id, vector, "m", AT, consent_id=consent_id)


def consented(ledger, resident_id):
    consent = consent_from(Statement(resident_id, agrees=True), "installer", AT)
    ledger.record(consent)
    return template(resident_id, consent.id)


def test_only_who_consented_reaches_the_gallery(ledger, caplog):
    anna, otto = consented(ledger, "anna"), template("otto")

    assert ConsentGate(ledger).permitted([otto, anna]) == [anna]
    assert "otto (consent_missing)" in caplog.text


def test_a_withdrawal_counts_at_the_next_filling(ledger, caplog):
    gate, anna = ConsentGate(ledger), consented(ledger, "anna")
    assert gate.permitted([anna]) == [anna]
    ledger.withdraw("anna", AT)

    assert gate.permitted([anna]) == []
    assert "consent_withdrawn" in caplog.text


def test_somebody_elses_consent_does_not_help(ledger):
    anna = consented(ledger, "anna")

    assert ConsentGate(ledger).permitted([replace(anna, resident_id="otto")]) == []


def test_without_a_ledger_nothing_is_matched(ledger):
    gate, anna = ConsentGate(ledger), consented(ledger, "anna")
    ledger.close()

    with pytest.raises(StoreError):
        gate.permitted([anna])


def test_a_withdrawal_cut_short_by_a_power_cut_is_finished_at_the_next_start(ledger, store):
    store.put(Resident("anna", "Anna"), [consented(ledger, "anna")])
    store.put(Resident("otto", "Otto"), [consented(ledger, "otto")])
    store.put(Resident("new", "No consent asked yet"), [template("new")])
    ledger.withdraw("anna", AT)  # and here the power went

    assert finish_withdrawals(store, ledger) == ["anna"]
    assert store.templates_of("anna") == ()
    assert store.templates_of("otto")
    assert store.templates_of("new")
    assert finish_withdrawals(store, ledger) == []


def test_who_wants_to_be_greeted_no_longer_keeps_the_face(ledger, store):
    greeting = Statement("new", agrees=True, notice=GREETING_NOTICE, purpose=GREETING)
    ledger.record(consent_from(greeting, "installer", AT))
    store.put(Resident("new", "Enrolled before there was a ledger"), [template("new")])
    ledger.withdraw("new", AT)

    assert finish_withdrawals(store, ledger) == []
    assert store.templates_of("new")
