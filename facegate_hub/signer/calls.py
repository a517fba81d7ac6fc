"""The signer's calls by name, with JSON in both directions: one list for the socket and for this process."""

from __future__ import annotations

import base64
import logging
from dataclasses import asdict
from functools import partial
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from edge.domain import RosterState
from edge.errors import FacegateError, SyncError
from edge.wire.asks import ProgramAsk
from edge.wire.commands import CommandType
from facegate_hub.signer.asking import FacesListed
from facegate_hub.signer.audit import first_broken, read_wishes
from facegate_hub.signer.principals import right
from facegate_hub.signer.rights import NotPermitted, Permission
from facegate_hub.signer.tables import RULE_WISHES, WISHES

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from facegate_hub.signer.desk import SigningDesk
    from facegate_hub.signer.principals import Caller, Principal

    Fields = Mapping[str, Any]
    Call = Callable[[SigningDesk, Caller, Fields], Any]

LOG = logging.getLogger(__name__)

MOST_RECORDS = 1000
OWN_WORDS = frozenset(
    {
        "command",
        "first-voice",
        "second-voice",
        "refused",
        "adopt",
        "notice",
        "pass-ended",
        "way-given",
        "rules",
        "roster",
        "settings",
        "group",
        "principals",
        "login",
        "log_in",
    }
)
"""Words under which the signer itself writes to the audit; a caller may not use them."""
MISFITS = (OverflowError, sa.exc.DataError, sa.exc.InterfaceError, sa.exc.ProgrammingError)
"""What a value of the wrong kind comes to in a database."""


def answer(desk: SigningDesk, caller: Caller, name: str, fields: Fields) -> dict[str, Any]:
    """Return `{"done": ...}`, or `{"failed": text, "refused": whether it is not permitted}`; never raises."""
    try:
        call = CALLS.get(name)
        if call is None:
            raise SyncError(f"{name[:60]!r}: the signer has no such call; is it of another version?")
        return {"done": call(desk, caller, fields)}
    except FacegateError as error:
        told = {} if error.technical else {"code": error.message.coded()}
        return {"failed": str(error), "refused": isinstance(error, NotPermitted), **told}
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        return {"failed": f"{name[:60]}: {type(error).__name__}: {error}"[:300], "refused": False}
    except MISFITS:
        return {"failed": f"{name[:60]}: a value is of the wrong kind, or too large", "refused": False}
    except sa.exc.SQLAlchemyError as error:
        # Each call is one transaction or several: what was not committed did not happen. Were this raised,
        # the server would drop the connection, and the client would send the same call a second time.
        LOG.error("%s: the signer's database fails: %s", name[:60], error)  # noqa: TRY400 - one clear line
        return {"failed": f"{name[:60]}: the signer's database fails; try again", "refused": False}


def _ask(desk: SigningDesk, caller: Caller, fields: Fields) -> Any:
    args = {str(name): float(value) for name, value in fields["args"].items()}
    doors = [str(door) for door in fields["doors"]]
    asked = desk.ask(caller, doors, CommandType(fields["kind"]), fields.get("by"), args)
    return [asdict(permit) for permit in asked]


def _ask_for(desk: SigningDesk, caller: Caller, fields: Fields) -> Any:
    return asdict(desk.ask_for(caller, str(fields["name"]), ProgramAsk.parse(str(fields["ask"]).encode())))


def _answer_ring(desk: SigningDesk, caller: Caller, fields: Fields) -> Any:
    named = (str(fields[name])[:128] for name in ("ring", "door", "resident"))
    return asdict(desk.answer_ring(caller, *named))


def _integrations(desk: SigningDesk, caller: Caller, _fields: Fields) -> Any:
    return [asdict(grant) for grant in desk.integrations(caller)]


def _permit(desk: SigningDesk, caller: Caller, fields: Fields) -> Any:
    return desk.permit(caller, right(fields["right"]), _about(fields), fields.get("by"))


def _challenge(desk: SigningDesk, caller: Caller, fields: Fields) -> Any:
    challenge_id, payload = desk.challenge(caller, str(fields["id"]))
    return [challenge_id, payload.decode()]


def _order(desk: SigningDesk, caller: Caller, fields: Fields) -> Any:
    return desk.order(caller, str(fields["id"]), str(fields["nonce"])).decode()


def _sign(desk: SigningDesk, caller: Caller, fields: Fields) -> Any:
    body = base64.b64decode(fields["body"], validate=True)
    return desk.sign(caller, body, str(fields["purpose"])).decode()


def _void(desk: SigningDesk, caller: Caller, fields: Fields) -> Any:
    return desk.void(caller, [str(one) for one in fields["ids"]][:MOST_RECORDS])


def _adopt(desk: SigningDesk, caller: Caller, fields: Fields) -> Any:
    wishes = {str(door): (int(rev), str(digest)) for door, (rev, digest) in fields["wishes"].items()}
    desk.adopt(caller, [RosterState(*state) for state in fields["states"]], wishes)


def _approve_roster(desk: SigningDesk, caller: Caller, fields: Fields) -> Any:
    before = None if fields["before"] is None else RosterState(*fields["before"])
    after = [RosterState(*state) for state in fields["after"]]
    desk.approve_roster(caller, before, after, _about(fields))


def _approve_faces(desk: SigningDesk, caller: Caller, fields: Fields) -> Any:
    lines = [(str(name), int(rev), str(whole), str(plain)) for name, rev, whole, plain in fields["lines"]]
    records = [(str(name), str(old), str(new)) for name, old, new in fields["records"]]
    desk.approve_faces(caller, FacesListed(RosterState(*fields["before"]), lines, records))


def _approve_wish(desk: SigningDesk, caller: Caller, fields: Fields, table: sa.Table) -> Any:
    device, rev, digest = fields["wish"]
    return desk.approve_settings(caller, (str(device), int(rev), str(digest)), _about(fields), table)


def _approve_ways(desk: SigningDesk, caller: Caller, fields: Fields) -> Any:
    orders = [(str(door), str(digest)) for door, digest in fields["orders"]][:MOST_RECORDS]
    return desk.approve_ways(caller, orders, _about(fields))


def _about(fields: Fields) -> dict[str, Any]:
    """Return what a caller wants noted. Raises `SyncError` for a word that is the signer's own."""
    about = dict(fields["about"])
    if (what := about.get("what")) is not None and (not isinstance(what, str) or what in OWN_WORDS):
        raise SyncError(f"what {str(what)[:40]!r}: is noted by the signer itself")
    return about


def _who(desk: SigningDesk, caller: Caller, _fields: Fields) -> Any:
    principal = desk.principals.known(caller)
    scopes = {str(one): desk.policy.scope(principal, one) for one in Permission}
    rights = {name: doors for name, doors in scopes.items() if doors is None or doors}
    return {"name": principal.name, "kind": principal.kind, "owner": principal.is_owner, "rights": rights}


def _audit(desk: SigningDesk, caller: Caller, fields: Fields) -> Any:
    desk.policy.require(desk.principals.known(caller), Permission.AUDIT)
    records = read_wishes(desk.engine, min(int(fields["count"]), MOST_RECORDS))
    return {"records": [asdict(one) for one in records], "broken": first_broken(desk.engine)}


def _log_in(desk: SigningDesk, _caller: Caller, fields: Fields) -> Any:
    name = str(fields["name"])
    try:
        return desk.principals.log_in(name, str(fields["password"]))
    except NotPermitted as error:
        desk.note_refusal("login", {"what": "log_in", "name": name[:64], "why": str(error)})
        raise


def _log_out(desk: SigningDesk, caller: Caller, _fields: Fields) -> Any:
    if caller.token is not None:
        desk.principals.log_out(caller.token)


def _groups(desk: SigningDesk, caller: Caller, _fields: Fields) -> Any:
    desk.principals.known(caller)
    return desk.principals.groups()


def _set_group(desk: SigningDesk, caller: Caller, fields: Fields) -> Any:
    about = {"what": "group", "group": fields["name"], "doors": fields["doors"]}
    desk.permit(caller, Permission.PRINCIPALS, about)
    desk.principals.set_group(fields["name"], fields["doors"])


def _register(desk: SigningDesk, caller: Caller, _fields: Fields) -> Any:
    desk.policy.require(desk.principals.known(caller), Permission.PRINCIPALS)
    return {"principals": desk.principals.all(), "rules": desk.policy.rules()}


def _changing(change: Callable[[SigningDesk, Principal, Fields], Any], *told: str) -> Call:
    """Return a call that changes the register: who may, noted with these of its fields, and never secrets."""

    def call(desk: SigningDesk, caller: Caller, fields: Fields) -> Any:
        about = {"what": "principals", "did": change.__name__.strip("_")}
        desk.permit(caller, Permission.PRINCIPALS, {**about, **{name: fields.get(name) for name in told}})
        return change(desk, desk.principals.known(caller), fields)

    return call


def _add(desk: SigningDesk, _by: Principal, fields: Fields) -> None:
    desk.principals.add(fields["name"], fields["kind"], fields["account"])


def _end(desk: SigningDesk, _by: Principal, fields: Fields) -> None:
    desk.principals.end(fields["name"])


def _grant(desk: SigningDesk, _by: Principal, fields: Fields) -> None:
    desk.principals.grant(fields["name"], fields["role"], fields["doors"], fields["wanted"])


def _revoke(desk: SigningDesk, _by: Principal, fields: Fields) -> None:
    desk.principals.revoke(int(fields["grant"]))


def _token(desk: SigningDesk, _by: Principal, fields: Fields) -> str:
    return desk.principals.new_token(fields["name"])


def _password(desk: SigningDesk, _by: Principal, fields: Fields) -> None:
    desk.principals.set_password(fields["name"], fields["password"])


def _rule(desk: SigningDesk, _by: Principal, fields: Fields) -> None:
    desk.policy.set_rule(fields["name"], fields["value"])


CALLS: dict[str, Call] = {
    "ask": _ask,
    "ask_for": _ask_for,
    "integrations": _integrations,
    "permit": _permit,
    "void": _void,
    "challenge": _challenge,
    "order": _order,
    "sign": _sign,
    "adopt": _adopt,
    "approve_roster": _approve_roster,
    "approve_faces": _approve_faces,
    "answer_ring": _answer_ring,
    "approve_settings": partial(_approve_wish, table=WISHES),
    "approve_rules": partial(_approve_wish, table=RULE_WISHES),
    "approve_ways": _approve_ways,
    "who": _who,
    "audit": _audit,
    "log_in": _log_in,
    "log_out": _log_out,
    "groups": _groups,
    "set_group": _set_group,
    "register": _register,
    "add": _changing(_add, "name", "kind", "account"),
    "end": _changing(_end, "name"),
    "grant": _changing(_grant, "name", "role", "doors", "wanted"),
    "revoke": _changing(_revoke, "grant"),
    "token": _changing(_token, "name"),
    "password": _changing(_password, "name"),
    "rule": _changing(_rule, "name", "value"),
}
"""Every call by its name; fields are those of the client's method of that name."""
