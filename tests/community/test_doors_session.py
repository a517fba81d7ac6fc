"""A session of the console that ends, in whatever way, ends what was let act at the doors as well."""

from __future__ import annotations

from contextlib import closing

import pytest

from edge.errors import SyncError
from facegate_hub.community.accounts import StaffAccounts
from facegate_hub.community.book import Doer
from facegate_hub.community.devices import Devices
from facegate_hub.console.doors_desk import DoorsDesk, SessionWatch
from facegate_hub.signer.client import OwnDesk, SignerClient, open_desk
from facegate_hub.signer.rights import NotPermitted
from tests.community.test_console_doors import PASSWORD, Gate, entered

pytestmark = pytest.mark.slow


@pytest.fixture
def gate(tmp_path):
    with closing(Gate(tmp_path)) as gate:
        gate.principal("gao")
        yield gate


def is_known(gate, token):
    """Whether the signer still takes somebody at their token, whoever shows it."""
    try:
        return gate.desk.looking.signer.speaking_for(token).who().name == "gao"
    except NotPermitted:
        return False


def token_of(gate):
    (token,) = gate.desk._tokens.values()  # what the console holds in memory alone
    assert is_known(gate, token)
    return token


def test_logging_out_ends_it_at_the_signer(gate):
    guard = entered(gate)
    token = token_of(gate)
    guard.send("/logout")
    assert not is_known(gate, token)


@pytest.mark.parametrize("fields", [{"do": "end", "name": "guard-1"}, {"name": "guard-1", "duty": "desk"}])
def test_an_account_that_is_ended_or_given_another_duty_acts_no_more(gate, fields):
    entered(gate)
    token = token_of(gate)
    admin = gate.logged_in("root")
    admin.get("/accounts")
    csrf = admin.page.split('name="csrf" value="')[1].split('"')[0]
    assert admin.client.post("/accounts", data={"csrf": csrf, **fields}).status_code == 200
    assert not is_known(gate, token)


def test_who_was_idled_out_or_begun_anew_by_a_command_acts_no_more(gate):
    watch = SessionWatch(gate.desk, Devices(gate.compound.staff))
    entered(gate)
    token = token_of(gate)
    watch.look()
    assert is_known(gate, token)
    gate.compound.clock.advance(31 * 60)
    watch.look()
    assert not is_known(gate, token)
    entered(gate)
    token = token_of(gate)
    StaffAccounts(gate.compound.staff).begin_again(Doer("command", "root"), "guard-1")
    watch.look()
    assert not is_known(gate, token)


def test_who_says_anew_who_they_are_leaves_no_session_behind(gate):
    guard = entered(gate)
    token = token_of(gate)
    guard.send("/doors/enter", leave="1")
    assert not is_known(gate, token)
    guard = entered(gate)
    token = token_of(gate)
    csrf = guard.page.split('name="csrf" value="')[1].split('"')[0]
    guard.client.post("/doors/enter", data={"csrf": csrf, "name": "gao", "password": PASSWORD})
    assert not is_known(gate, token)
    token_of(gate)


def test_a_console_that_is_stopped_leaves_no_session_behind(gate):
    desk = DoorsDesk(gate.folder, gate.url)
    desk.enter("browser", "gao", PASSWORD)
    (token,) = desk._tokens.values()
    desk.close()
    assert not is_known(gate, token)


class Line(OwnDesk):
    """The way to a signer that can be away."""

    is_away = False

    def call(self, name, token, fields):
        if self.is_away:
            raise SyncError("nobody answers")
        return super().call(name, token, fields)


def test_a_signer_that_was_away_is_told_when_it_is_back(gate):
    line = Line(open_desk(gate.folder))
    desk = DoorsDesk(gate.folder, gate.url)
    desk.looking._given_signer = SignerClient(line)
    desk.enter("browser", "gao", PASSWORD)
    (token,) = desk._tokens.values()
    line.is_away = True
    desk.leave("browser")
    assert desk.known("browser") is None
    assert is_known(gate, token)
    line.is_away = False
    desk.leave_ended(lambda _: True)
    assert not is_known(gate, token)
    desk.close()
    line.close()


def test_who_says_anew_who_they_are_while_a_page_asks_is_still_ended_by_logging_out(gate):
    """The page's answer was about the session before: it let go of the new one, which lived on unseen."""
    desk = DoorsDesk(gate.folder, gate.url)

    class Slow(Line):
        asked = 0

        def call(self, name, token, fields):
            if name == "who" and not self.asked:
                self.asked += 1
                desk.enter("browser", "gao", PASSWORD)
            return super().call(name, token, fields)

    line = Slow(open_desk(gate.folder))
    desk.looking._given_signer = SignerClient(line)
    desk.enter("browser", "gao", PASSWORD)
    assert desk.known("browser") is None
    (token,) = desk._tokens.values()
    assert is_known(gate, token)
    desk.leave("browser")
    assert not is_known(gate, token)
    desk.close()
    line.close()
