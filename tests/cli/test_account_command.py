"""`facegate account`: the way back in when nobody knows the page's password."""

from __future__ import annotations

from contextlib import closing

import pytest
from click.testing import CliRunner

from edge.cli import app
from edge.store.account_rows import ACCOUNTS_FILE
from edge.store.journal import SqliteJournal
from edge.web.accounts import Accounts, Role

OLD, NEW = "a password of old", "a password of new"


@pytest.fixture
def folder(tmp_path):
    with closing(Accounts(tmp_path / ACCOUNTS_FILE)) as accounts:
        accounts.put("ines", Role.INSTALLER, OLD)
    return tmp_path


def run(folder, *words, typed=""):
    return CliRunner().invoke(app, ["account", *words, "--data", str(folder)], input=typed)


def roles(folder, password=NEW, name="ines"):
    with closing(Accounts(folder / ACCOUNTS_FILE)) as accounts:
        return accounts.check(name, password)


def test_a_forgotten_password_is_replaced_and_the_role_stays(folder):
    done = run(folder, "set", "ines", typed=f"{NEW}\n{NEW}\n")
    assert done.exit_code == 0, done.output
    assert (roles(folder, OLD), roles(folder)) == (None, Role.INSTALLER)
    assert NEW not in done.output


def test_the_page_follows_at_once(folder):
    with closing(Accounts(folder / ACCOUNTS_FILE)) as served:
        before = served.kept("ines")
        run(folder, "set", "sam", "--role", "staff", typed=f"{NEW}\n{NEW}\n")
        assert served.kept("ines") == before
        run(folder, "set", "ines", "--role", "installer", typed=f"{NEW}\n{NEW}\n")
        assert served.kept("ines") != before


def test_the_first_code_dies_with_an_account_made_here(tmp_path):
    with closing(Accounts(tmp_path / ACCOUNTS_FILE)) as served:
        code = served.first_code
        run(tmp_path, "set", "ines", "--role", "installer", typed=f"{NEW}\n{NEW}\n")
        assert served.first_code is None
        assert code is not None
        assert not served.claim(code, "mallory", "a guessed password")


def test_what_was_changed_is_in_the_journal(folder):
    with closing(SqliteJournal(folder / "journal.db", "north", boot="b", clock_trust=lambda: "synced")):
        pass
    run(folder, "set", "sam", "--role", "staff", typed=f"{NEW}\n{NEW}\n")
    run(folder, "remove", "sam")
    with closing(
        SqliteJournal(folder / "journal.db", "north", boot="b", clock_trust=lambda: "synced")
    ) as log:
        told = [(event.kind, event.data) for event in log.read()]
    assert told == [
        ("panel.account_changed", {"by": "command line", "account": "sam", "role": "staff"}),
        ("panel.account_removed", {"by": "command line", "account": "sam"}),
    ]
    assert run(folder, "list").output.split() == ["installer", "ines"]


def test_no_account_counts_of_which_the_journal_could_not_be_told(folder):
    """A journal that takes nothing: else nobody would ever hear of the new installer."""
    (folder / "journal.db").mkdir()
    done = run(folder, "set", "mallory", "--role", "installer", typed=f"{NEW}\n{NEW}\n")
    assert done.exit_code != 0
    assert roles(folder, name="mallory") is None


@pytest.mark.parametrize(
    ("words", "typed", "said"),
    [
        (("set", "nobody"), "", "there is no such account"),
        (("remove", "nobody"), "", "there is no such account"),
        (("remove", "ines"), "", "last installer"),
        (("set", "ines"), "short\nshort\n", "10"),
        (("set", "ines", "--role", "king"), "", "king"),
    ],
)
def test_what_cannot_be_is_refused_and_changes_nothing(folder, words, typed, said):
    done = run(folder, *words, typed=typed)
    assert done.exit_code != 0
    assert said in f"{done.output} {done.exception}"
    assert roles(folder, OLD) is Role.INSTALLER


def test_a_folder_without_a_page_says_so(tmp_path):
    (tmp_path / "data").mkdir()
    done = run(tmp_path / "data", "list")
    assert "switch the page on" in f"{done.output} {done.exception}"
