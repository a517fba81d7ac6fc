"""No record, no match; no guardian, no minor; time runs out; people are counted."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from edge.consent.notice import CURRENT, VERSIONS, Operator, notice_text, sign_text
from edge.consent.retention import Expiry, due
from edge.consent.rules import Statement, consent_from, filing_notice, objection_to_match
from edge.domain import Reason, Resident, Template
from edge.errors import ConsentRefused
from edge.words import LANGUAGES, catalogue

NOW = datetime(2026, 6, 1, tzinfo=UTC)
YES = Statement("anna", agrees=True)


def template(resident_id="anna", consent_id=None):
    return Template(resident_id, np.zeros(4, np.float32), "m", NOW, consent_id=consent_id)


def test_without_a_record_nobody_is_matched():
    assert objection_to_match(template(), {}) is Reason.CONSENT_MISSING


def test_with_a_record_in_force_he_is():
    consent = consent_from(YES, "installer", NOW)
    assert objection_to_match(template(consent_id=consent.id), {consent.id: consent}) is None


def test_a_withdrawn_or_unknown_consent_is_none():
    consent = consent_from(YES, "installer", NOW)
    mine = template(consent_id=consent.id)
    assert objection_to_match(mine, {}) is Reason.CONSENT_WITHDRAWN
    gone = replace(consent, withdrawn_at=NOW)
    assert objection_to_match(mine, {gone.id: gone}) is Reason.CONSENT_WITHDRAWN


def test_the_consent_of_another_person_or_purpose_is_none():
    consent = consent_from(YES, "installer", NOW)
    in_force = {consent.id: consent}
    assert objection_to_match(template("otto", consent.id), in_force) is Reason.CONSENT_MISSING
    marketing = {consent.id: replace(consent, purpose="marketing")}
    assert objection_to_match(template("anna", consent.id), marketing) is Reason.CONSENT_MISSING


@pytest.mark.parametrize(
    ("statement", "minors_allowed", "words"),
    [
        (replace(YES, agrees=False), False, "no consent was given"),
        (replace(YES, language="fr"), False, "There is no notice"),
        (replace(YES, notice="1999-1"), False, "There is no notice"),
        (replace(YES, is_minor=True, guardian="Li Mei"), False, "does not enrol children"),
        (replace(YES, is_minor=True, guardian="  "), True, "guardian"),
    ],
)
def test_what_breaks_a_rule_is_refused_with_the_rule(statement, minors_allowed, words):
    with pytest.raises(ConsentRefused, match=words):
        consent_from(statement, "installer", NOW, minors_allowed=minors_allowed)


def test_a_guardian_may_agree_where_minors_are_enrolled():
    statement = replace(YES, is_minor=True, guardian=" Li Mei ")
    assert consent_from(statement, "installer", NOW, minors_allowed=True).guardian == "Li Mei"


def test_every_notice_is_there_in_both_languages():
    assert CURRENT in VERSIONS
    assert all(notice_text(version, language) for version in VERSIONS for language in LANGUAGES)


PUBLISHED = {
    "2026-1": "dd34fa4515cc21f8",
    "greeting-2026-1": "25b99a8906c65b0f",
    "2026-2": "730b0068662a6b39",
    "greeting-2026-2": "221e3a35ebe03384",
}


def test_a_published_notice_is_never_edited():
    for version, digest in PUBLISHED.items():
        texts = "".join(catalogue(language).text(f"notice.{version}") for language in ("en", "zh"))
        assert hashlib.sha256(texts.encode()).hexdigest()[:16] == digest, "make a new version instead"


def test_the_notice_names_who_is_responsible_and_only_ways_that_there_are():
    operator = Operator("阳光物业服务有限公司", "0571-1234", "3 号楼一层", keep_days=60, other_ways=("card",))
    text = notice_text(CURRENT, "zh", operator)
    assert "处理者：阳光物业服务有限公司，联系方式：0571-1234" in text
    assert "保存 60 天。" in text
    assert "门卡同样可以开门" in text
    assert "开门密码" not in text
    assert operator.is_named
    assert not Operator("阳光").is_named
    reporting = notice_text(CURRENT, "en", Operator(is_reporting=True, other_ways=()))
    assert "kept for 90 days and also sent to the property's system" in reporting
    assert "also opens by the property's staff" in reporting
    assert "阳光物业服务有限公司" in sign_text("zh", operator)


def test_unused_and_expired_templates_are_due_and_used_ones_are_not():
    year = 365 * 86_400.0
    people = [
        Resident("unused", "a"),
        Resident("used", "b"),
        Resident("visitor", "c", valid_until=NOW - timedelta(hours=1)),
        Resident("no-face", "d", valid_until=NOW - timedelta(hours=1)),
        Resident("fresh", "e"),
    ]
    unused = {"unused": year, "used": year - 1.0, "visitor": 0.0, "fresh": 0.0}

    assert due(people, unused, NOW) == [Expiry("unused", "unused"), Expiry("visitor", "validity_ended")]
    assert due(people, unused, None) == [Expiry("unused", "unused")]


def test_the_duty_to_file_is_announced_in_time():
    assert filing_notice(79_999) is None
    assert "Prepare" in str(filing_notice(80_000))
    assert "30 working days" in str(filing_notice(100_000))
