"""What the desk types about people: kept as it is meant, or refused; a pass names its host as doors do."""

import pytest

from edge.errors import FacegateError
from facegate_hub.community.accounts import StaffAccounts
from facegate_hub.community.book import Doer
from facegate_hub.community.duties import Duty
from facegate_hub.community.people import NewPerson, PeopleRegister, TieKind
from facegate_hub.community.person import erase_person
from facegate_hub.community.totp import code_at
from tests.community.compound import new_compound
from tests.present import present

DESK = Doer("account", "dora")
ODD = ("a\nb", "\x1b[31m", "a\x00b", "x" * 129, "a\u202eanna\u0007")


@pytest.fixture
def register(tmp_path):
    return PeopleRegister(new_compound(tmp_path).book)


def add(register, **more):
    fields = {"name": "Anna", "flat": "3-1203", "kind": TieKind.OWNER} | more
    return register.add(DESK, NewPerson(**fields))


@pytest.mark.parametrize("column", ["name", "contact", "resident"])
@pytest.mark.parametrize("text", ODD)
def test_what_steers_a_terminal_or_is_too_long_is_never_kept(register, column, text):
    person = add(register)
    with pytest.raises(FacegateError):
        register.change(DESK, person, **{column: text})
    with pytest.raises(FacegateError):
        add(register, **{column: text})


@pytest.mark.parametrize("typed", [" Mu\u0308ller ", "M\u00fcller\u200b", "\ufeffMu\u0308ller"])
def test_a_host_is_named_as_the_roster_names_them(register, typed):
    person = add(register, resident=typed)
    assert register.one(person).resident == "M\u00fcller"
    register.change(DESK, person, resident=f"{typed}2")
    assert register.one(person).resident.replace(" ", "") == "M\u00fcller2"


def test_a_long_number_is_kept_whole(register):
    """Cut short it is another number, and may be somebody else's."""
    person = add(register)
    register.change(DESK, person, resident="9" * 128)
    assert register.one(person).resident == "9" * 128


def test_who_was_erased_stays_erased(register):
    person = add(register)
    erase_person(register._book, DESK, person)
    with pytest.raises(FacegateError):
        register.change(DESK, person, name="Anna")


def test_the_property_makes_no_account_of_a_committee_that_has_begun(tmp_path):
    """Also not while its only account waits for its code again; nor turns one of its own into one."""
    compound = new_compound(tmp_path)
    accounts, root = StaffAccounts(compound.staff), StaffAccounts(compound.staff).one("root")
    code = accounts.make(present(accounts.one("chair")), "chair", Duty.COMMITTEE)
    secret = accounts.claim("chair", code, "four good words here")
    assert secret is not None
    accounts.activate("chair", code, code_at(secret, compound.book.now()))
    accounts.begin_again(DESK, "chair")
    for name in ("chair", "spy", "dora"):
        with pytest.raises(FacegateError):
            accounts.make(present(root), name, Duty.COMMITTEE)
