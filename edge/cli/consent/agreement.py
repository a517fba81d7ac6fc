"""The options that say on what consent a face is enrolled."""

from __future__ import annotations

import getpass
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import wraps
from typing import TYPE_CHECKING, Any

import click

from edge.day_option import DAY
from edge.errors import ConsentRefused
from edge.words import LANGUAGES

if TYPE_CHECKING:
    from collections.abc import Callable

    from edge.domain import Consent
    from edge.store.consents import ConsentLedger


@dataclass(frozen=True, slots=True)
class Agreement:
    """What was said on the command line about a person's consent. `where` None: it is on record already."""

    where: str | None
    on: datetime | None
    by: str
    guardian: str | None
    language: str
    purpose: str = "door"

    def settle(self, resident_id: str, ledger: ConsentLedger) -> Consent:
        """Return the consent the face of this resident falls under; nothing is stored.

        Raises `ConsentRefused` when none is given and none is on record, or it breaks a rule.
        """
        if self.where is not None:
            return self._given(resident_id, self.where)
        known = [one for one in ledger.of(resident_id) if one.withdrawn_at is None]
        found = [one for one in known if one.purpose == self.purpose]
        if not found:
            raise ConsentRefused(
                f"{resident_id}: no consent is on record, and without one the door matches nobody. Have the "
                "notice signed (facegate consent notice), then add --consent and where it is kept, "
                f"such as --consent signed-paper-{datetime.now(UTC):%Y-%m}"
            )
        return found[-1]

    def _given(self, resident_id: str, where: str) -> Consent:
        from edge.consent.notice import CURRENT, GREETING_NOTICE
        from edge.consent.rules import GREETING, Statement, consent_from

        now = datetime.now(UTC)
        at = self.on.replace(tzinfo=UTC) if self.on else now
        if at > now:
            raise ConsentRefused(f"--consent-on {at:%Y-%m-%d}: a consent is given before it is recorded")
        statement = Statement(
            resident_id,
            agrees=True,
            language=self.language,
            notice=GREETING_NOTICE if self.purpose == GREETING else CURRENT,
            is_minor=self.guardian is not None,
            guardian=self.guardian or "",
            purpose=self.purpose,
        )
        return consent_from(statement, f"{self.by} ({where})", at, minors_allowed=True)


OPTIONS = (
    click.option(
        "--consent",
        "consent_where",
        metavar="WHERE",
        help="The person agreed; where that is kept, such as signed-paper-2026-03. Needed once.",
    ),
    click.option("--consent-on", type=DAY, help="Day it was given; today when left out."),
    click.option("--consent-by", default=getpass.getuser, show_default="your login", help="Who recorded it."),
    click.option("--guardian", help="For a person under 14: the guardian who agreed."),
    click.option(
        "--language",
        type=click.Choice(LANGUAGES),
        default="en",
        show_default=True,
        help="Language of the notice that was read.",
    ),
)


def agreement_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add `--consent` and what belongs to it; the command gets an `agreement: Agreement`."""

    @wraps(command)
    def gathered(
        *,
        consent_where: str | None,
        consent_on: datetime | None,
        consent_by: str,
        guardian: str | None,
        language: str,
        **others: Any,
    ) -> Any:
        told = Agreement(consent_where, consent_on, consent_by, guardian, language)
        return command(agreement=told, **others)

    for option in reversed(OPTIONS):
        gathered = option(gathered)
    return gathered


def recorded(consent: Consent, ledger: ConsentLedger) -> Consent:
    """Store `consent` unless it is on record already, and return it."""
    if ledger.get(consent.id) is None:
        ledger.record(consent)
    return consent
