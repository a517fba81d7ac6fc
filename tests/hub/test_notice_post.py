"""Notices reach a mailing list and one web request, once each, and never who they are not for."""

from __future__ import annotations

import json
from email import message_from_bytes
from email.policy import default

import pytest

from facegate_hub.alert_channels import load_alerts
from facegate_hub.community.accounts import StaffAccounts
from facegate_hub.community.notice_desk import NoticeDesk, NoticeDraft
from facegate_hub.community.notices import NoticeLevel
from facegate_hub.notice_post import BETWEEN_SECONDS, NoticePost, notice_channels
from facegate_hub.sending import FIRST_RETRY_SECONDS
from facegate_hub.tables import open_tables
from tests.community.compound import new_compound
from tests.hub.test_alerts import hook, post  # noqa: F401 - fixtures

DAY = 86_400


class Office:
    """A compound whose notices go out by both ways, and a clock of our own."""

    def __init__(self, folder, hook_port, post_port):
        self.compound = new_compound(folder)
        self.notices = NoticeDesk(self.compound.staff)
        accounts = StaffAccounts(self.compound.staff)
        self.desk, self.manager = accounts.one("dora"), accounts.one("mona")
        (folder / "secret").write_text("a shared secret\n")
        lines = ["[webhook]", f'url = "http://127.0.0.1:{hook_port}/notices"', 'secret_file = "secret"']
        lines += ["[mail]", 'host = "127.0.0.1"', f"port = {post_port}", 'tls = "none"', 'language = "zh"']
        lines += ['sender = "desk@example.org"', 'to = ["residents@example.org"]']
        (folder / "notices.toml").write_text("\n".join(lines))
        self.channels = notice_channels(load_alerts(folder / "notices.toml", "Hill House")[0])
        self.engine = open_tables(f"sqlite:///{folder / 'hub.db'}")
        self.start()

    def start(self):
        clock = self.compound.clock
        self.sender = NoticePost(
            self.engine, self.compound.staff, self.channels, lambda: clock.now().timestamp()
        )

    def show(self, title, level=NoticeLevel.INFO, **more):
        now = self.compound.book.now()
        draft = NoticeDraft(level, title, f"{title} (en)", "more", now, now + 5 * DAY, **more)
        assert self.desk is not None
        number = self.notices.draft(self.desk, draft)
        assert self.manager is not None
        self.notices.approve(self.manager, number)
        return number

    def step(self):
        """Return how many went by webhook, and by mail."""
        return tuple(self.sender.step(channel) for channel in self.channels)


@pytest.fixture
def office(tmp_path, hook, post):  # noqa: F811
    office = Office(tmp_path, hook.server_address[1], post.server_address[1])
    yield office
    office.engine.dispose()


def test_a_notice_is_posted_signed_and_mailed_once_also_after_a_restart(office, hook, post):  # noqa: F811
    office.show("停水")
    assert office.step() == (1, 1)
    office.start()
    assert office.step() == (0, 0)
    ((headers, body, _),) = hook.seen
    assert headers["X-Facegate-Signature"].startswith("sha256=")
    (told,) = json.loads(body)["notices"]
    assert told["titles"] == {"zh": "停水", "en": "停水 (en)"}
    assert (told["level"], told["for"], told["buildings"]) == ("info", "everybody", [])
    letter = message_from_bytes(post.seen[0], policy=default)
    assert letter["Subject"] == "[Hill House] 停水"
    assert letter.get_content().split() == ["停水", "停水", "(en)", "more"]


def test_drafts_go_nowhere_and_a_list_does_not_get_what_is_for_some(office, hook):  # noqa: F811
    now = office.compound.book.now()
    office.notices.draft(office.desk, NoticeDraft(NoticeLevel.INFO, "草稿", "", "", now, now + DAY))
    office.show("业主", tie="owner")
    office.show("三号楼", buildings=("3",))
    assert office.step() == (2, 0)
    told = json.loads(hook.seen[0][1])["notices"]
    assert sorted((one["for"], tuple(one["buildings"])) for one in told) == [
        ("everybody", ("3",)),
        ("owner", ()),
    ]


def test_what_is_not_urgent_waits_an_hour_and_what_is_does_not(office):
    office.show("一")
    assert office.step() == (1, 1)
    office.show("二")
    assert office.step() == (0, 0)
    office.compound.wait(seconds=BETWEEN_SECONDS)
    assert office.step() == (1, 1)
    office.show("漏气", NoticeLevel.EMERGENCY)
    assert office.step() == (1, 1)


def test_what_is_not_taken_is_tried_again_and_the_other_way_works(office, hook):  # noqa: F811
    hook.answer = 503
    office.show("停水")
    assert office.step() == (0, 1)
    assert office.step() == (0, 0)
    assert len(hook.seen) == 1
    hook.answer = 200
    office.compound.wait(seconds=FIRST_RETRY_SECONDS)
    assert office.step() == (1, 0)
