"""The tables: the chain of entries, sealed contents, and projections of the chain.

A projection holds ids, states, times and marks; free text, names and pictures stand in `contents` alone,
sealed, each under its mark. So a projection can be made anew from the chain, and a person be erased.
Times are UTC seconds since 1970; no column is a float.
"""

from __future__ import annotations

import sqlalchemy as sa

METADATA = sa.MetaData()

MARK = sa.String(64)
"""SHA-256 in hex over salt, owner and content."""

LEDGER = sa.Table(
    "ledger",
    METADATA,
    sa.Column("seq", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("at", sa.BigInteger, nullable=False),
    sa.Column("actor", sa.String(80), nullable=False),
    sa.Column("kind", sa.String(40), nullable=False),
    sa.Column("subject", sa.String(80), nullable=False),
    sa.Column("body", sa.Text, nullable=False),
    sa.Column("prev", sa.String(64), nullable=False),
    sa.Column("hash", sa.String(64), nullable=False),
    sa.Index("ledger_by_subject", "subject", "seq"),
)
"""Who did what to what; `body` is canonical JSON: rows it sets, what to say of it, marks kept and gone."""

CONTENTS = sa.Table(
    "contents",
    METADATA,
    sa.Column("mark", MARK, primary_key=True),
    sa.Column("owner", sa.String(80), nullable=False),
    sa.Column("salt", sa.LargeBinary, nullable=False),
    sa.Column("sealed", sa.LargeBinary, nullable=False),
    sa.Index("contents_by_owner", "owner"),
)
"""What a mark stands for; deleted when its owner is erased or its time is up: the chain still verifies."""


def _projection(name: str, *columns: sa.Column[int] | sa.Column[str] | sa.Index) -> sa.Table:
    return sa.Table(name, METADATA, sa.Column("id", sa.String(80), primary_key=True), *columns)


def _word(name: str, length: int = 80) -> sa.Column[str]:
    return sa.Column(name, sa.String(length))


def _whole(name: str) -> sa.Column[int]:
    return sa.Column(name, sa.BigInteger)


PEOPLE = _projection(
    "people",
    _word("state", 16),
    _word("language", 8),
    _word("name", 64),
    _word("contact", 64),
    _word("resident", 64),
    _whole("since"),
)
"""`name`, `contact` and `resident` (the id in the roster) are marks; `state`: active, left, erased."""

FLATS = _projection("flats", _word("building", 32), _word("unit", 32), _whole("area"))
"""`id` is what stands at the door, such as 3-1203; `area` in 0.01 m², for votes."""

TIES = _projection(
    "ties",
    _word("person"),
    _word("flat"),
    _word("kind", 16),
    _whole("since"),
    _whole("until"),
    _word("proof", 32),
    sa.Index("ties_by_person", "person"),
    sa.Index("ties_by_flat", "flat"),
)
"""Who belongs to which flat, as what (owner, family, tenant, guardian), since when, until when (or None)."""

INVITATIONS = _projection(
    "invitations",
    _word("flat"),
    _word("person"),
    _word("kind", 16),
    _word("state", 16),
    _whole("until"),
    sa.Index("invitations_by_flat", "flat"),
)
"""`id` is the SHA-256 of the code; `state`: open, used, withdrawn."""

ACCOUNTS = _projection("accounts", _word("duty", 16), _word("side", 16), _word("state", 16))
"""Staff and committee: `id` is the name; `side`: property or committee; `state`: invited, active, ended.
In the community's database a copy, by which nobody is let in."""

TICKETS = _projection(
    "tickets",
    _whole("number"),
    _word("kind", 16),
    _word("category", 32),
    _word("place", 64),
    _word("flat"),
    _word("requester"),
    _word("via"),
    _word("about"),
    _word("audience", 16),
    _word("state", 16),
    _word("assignee"),
    _word("urgency", 16),
    _word("text", 64),
    _whole("opened_at"),
    _whole("changed_at"),
    _whole("wait_until"),
    _word("wait_why", 16),
    _word("cause", 16),
    _word("reason", 32),
    _whole("resolved_at"),
    _whole("ended_at"),
    _word("merged_into"),
    _word("linked"),
    _whole("appeals"),
    _whole("reopened"),
    _whole("level"),
    _word("slip", 64),
    sa.Index("tickets_by_state", "state", "changed_at"),
    sa.Index("tickets_by_requester", "requester"),
)
"""`place` and `text` are marks; `via` is the account that wrote it down for somebody; `about` the account
that a complaint is about; `level` how far it climbed: 0, 1 the manager, 2 the committee."""

WATCHERS = _projection(
    "watchers", _word("ticket"), _word("person"), _word("kind", 16), sa.Index("watchers_by_person", "person")
)
"""Who follows a ticket besides its requester; `kind`: too (me too), merged (theirs was merged into it)."""

CLOCKS = _projection(
    "clocks",
    _word("ticket"),
    _word("kind", 16),
    _word("hours", 16),
    _whole("seconds"),
    _whole("left"),
    _whole("begun_at"),
    _whole("due_at"),
    _whole("met_at"),
    _whole("breached_at"),
    sa.Index("clocks_by_due", "due_at"),
    sa.Index("clocks_by_ticket", "ticket"),
)
"""A promised time: `seconds` within `hours` since `begun_at`. While it stands still `due_at` is None and
`left` says what remained. A breach is never taken back."""

ANSWERS = _projection(
    "answers", _word("ticket"), _word("person"), _whole("score"), _word("text", 64), _whole("at")
)
"""One answer after each ticket: 1 to 5, of the property's work."""

NOTICES = _projection(
    "notices",
    _whole("number"),
    _word("state", 16),
    _word("level", 16),
    _word("buildings", 200),
    _word("tie", 16),
    _word("title_zh", 64),
    _word("title_en", 64),
    _word("text", 64),
    _whole("begins"),
    _whole("ends"),
    _word("drafted_by"),
    _word("approved_by"),
    _whole("approved_at"),
    _word("replaces"),
    sa.Index("notices_by_state", "state", "ends"),
)
"""`state`: draft, shown, ended, replaced; titles and text are marks; `buildings` with commas, "" for all."""

PASSES = _projection(
    "passes",
    _word("maker"),
    _word("flat"),
    _word("kind", 16),
    _word("state", 16),
    _word("pass_id", 16),
    _word("text", 64),
    _word("why", 32),
    _word("doors", 400),
    _whole("begins"),
    _whole("ends"),
    _whole("uses"),
    _whole("wished_at"),
    sa.Index("passes_by_maker", "maker", "wished_at"),
    sa.Index("passes_by_state", "state"),
)
"""`state`: wished, granted, refused, ended; `pass_id` is what stands on the pass, `text` the mark of its
code, which goes when it ends; `why` is the reason of a refusal, `doors` are names with commas."""

FAULTS = _projection(
    "faults",
    _word("door"),
    _word("rule", 32),
    _word("ticket"),
    _word("state", 16),
    _whole("since"),
)
"""One line for each door and rule: its newest ticket, and what the door says (`state`: open, cleared)."""

DOORS = _projection("doors", _whole("since"), _word("name", 200))
"""Doors by id, since when the book knows them, and what the property calls them (None: by their id)."""

PROJECTIONS: dict[str, sa.Table] = {
    table.name: table
    for table in (
        PEOPLE,
        FLATS,
        TIES,
        INVITATIONS,
        ACCOUNTS,
        TICKETS,
        WATCHERS,
        CLOCKS,
        ANSWERS,
        NOTICES,
        PASSES,
        FAULTS,
        DOORS,
    )
}

READS = sa.Table(
    "reads",
    METADATA,
    sa.Column("notice", sa.String(80), primary_key=True),
    sa.Column("person", sa.String(80), primary_key=True),
    sa.Column("at", sa.BigInteger, nullable=False),
)
"""Who opened which notice: told as counts of buildings, forgotten after ninety days. Not in the chain."""

SECRETS = sa.Table(
    "secrets",
    METADATA,
    sa.Column("account", sa.String(80), primary_key=True),
    sa.Column("code", sa.String(64)),
    sa.Column("salt", sa.LargeBinary),
    sa.Column("digest", sa.LargeBinary),
    sa.Column("totp", sa.LargeBinary),
    sa.Column("totp_used", sa.BigInteger),
)
"""What proves an account's holder: digest of a one-time code, of the password, the sealed TOTP secret and
the last time step that was used. Not in the chain. Kept in the staff's own store; in the community's database
it holds only what an older version wrote, until the console takes that over."""

PASSKEYS = sa.Table(
    "passkeys",
    METADATA,
    sa.Column("id", sa.String(64), primary_key=True),
    sa.Column("holder", sa.String(80), nullable=False),
    sa.Column("host", sa.String(255), nullable=False),
    sa.Column("data", sa.LargeBinary, nullable=False),
    sa.Column("uses", sa.BigInteger, nullable=False),
    sa.Column("label", sa.String(80), nullable=False),
    sa.Column("made_at", sa.BigInteger, nullable=False),
    sa.Column("used_at", sa.BigInteger, nullable=False),
    sa.Index("passkeys_by_holder", "holder"),
)
"""Public keys of browsers and phones: `id` is the SHA-256 of the credential's, `holder` as of a device,
`host` the name it was made for, `uses` what it counted last. Not in the chain."""

DEVICES = sa.Table(
    "devices",
    METADATA,
    sa.Column("id", sa.String(64), primary_key=True),
    sa.Column("token", sa.String(64), nullable=False, unique=True),
    sa.Column("holder", sa.String(80), nullable=False),
    sa.Column("label", sa.String(80), nullable=False),
    sa.Column("made_at", sa.BigInteger, nullable=False),
    sa.Column("used_at", sa.BigInteger, nullable=False),
    sa.Column("until", sa.BigInteger, nullable=False),
    sa.Index("devices_by_holder", "holder"),
)
"""Browsers that are logged in: `token` is the SHA-256 of the cookie, `holder` person:ID or account:NAME."""

RINGS = sa.Table(
    "rings",
    METADATA,
    sa.Column("id", sa.String(64), primary_key=True),
    sa.Column("door", sa.String(64), nullable=False),
    sa.Column("flat", sa.String(80)),
    sa.Column("rang_at", sa.BigInteger, nullable=False),
    sa.Column("state", sa.String(16), nullable=False),
    sa.Column("answered_by", sa.String(80)),
    sa.Column("answered_at", sa.BigInteger),
    sa.Column("why", sa.String(32)),
    sa.Index("rings_by_time", "rang_at"),
)
"""Rings of the last week as the hub tells of them, and what residents answer. Not in the chain."""

PASS_DOORS = sa.Table(
    "pass_doors",
    METADATA,
    sa.Column("pass_id", sa.String(16), primary_key=True),
    sa.Column("door", sa.String(64), primary_key=True),
    sa.Column("word", sa.String(16), nullable=False),
    sa.Column("at", sa.BigInteger, nullable=False),
)
"""What doors know of passes that were ended, as the hub tells of it: confirmed, waiting, offline. Not in the
chain."""
