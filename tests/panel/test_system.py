"""Network, backup, about, the door test's live values, silent alarms, and whom the door fails."""

from __future__ import annotations

import re
from contextlib import closing
from dataclasses import replace
from datetime import timedelta

import pytest
from starlette.testclient import TestClient

from edge.domain import EventDraft, Flaw, Resident
from edge.here import own_addresses
from edge.panel.app import make_app
from edge.panel.network import BrokerState, NetworkState
from edge.panel.sight import LOOK_SECONDS, FaceOverlay
from edge.panel.telling import QUIET_SECONDS
from edge.panel.troubles import SOON_SECONDS, troubles
from edge.service.panel.backup import HANDED_OUT_SECONDS
from edge.service.panel.network import is_local, network_reader
from edge.store.residents import ResidentStore
from edge.store.restore import RestoreWish, restore
from edge.web.accounts import Role
from edge.web.tls import own_certificate, public_certificate
from tests.fakes.scene import axis
from tests.panel.office import ANNA
from tests.present import present

PASSPHRASE = "four words are enough"


def connected(panel, **parts):
    """The same panel with other parts behind it."""
    panel.desk = replace(panel.desk, **parts)
    panel.app = make_app(panel.desk)
    return panel.logged_in()


def told(panel, kind, who=None, reason=None, **data):
    panel.desk.log.record(EventDraft(kind, panel.clock.now(), panel.clock.monotonic(), who, reason, data))
    panel.clock.advance(1)


def test_the_network_page_tells_facts_and_no_secret(panel):
    text = panel.logged_in("otto", Role.AUDITOR).get("/network").text
    assert "192.0.2.10" in text
    assert "AA:BB" in text
    assert "broker.lan:8883: connected" in text
    assert "not yet" not in text, "it is connected"


@pytest.mark.parametrize("language", ["en", "zh"])
def test_a_page_that_answers_on_this_device_alone_hands_no_address_to_phones(panel, tmp_path, language):
    own_certificate(tmp_path, ["gate"])
    reader = connected(panel, network=network_reader(tmp_path, "127.0.0.1"))
    reader.get(f"/language/{language}")
    local = reader.get("/network").text
    assert 'class="qr"' not in local
    assert "[panel] host = &#34;0.0.0.0&#34;" in local
    open_to_all = connected(panel, network=network_reader(tmp_path, "0.0.0.0")).get("/network").text
    assert 'class="qr"' in open_to_all
    assert "[panel] host" not in open_to_all
    assert [is_local(host) for host in ("localhost", "::1", "127.0.0.2", "192.0.2.7", "::", "gate")] == [
        *([True] * 3),
        *([False] * 3),
    ]


def test_a_lost_broker_and_a_door_without_one_are_told_apart(panel):
    lost = BrokerState("broker.lan:8883", False, 12, panel.clock.now(), "connection refused <b>")
    text = connected(panel, network=lambda: NetworkState(("gate",), "AA", lost)).get("/network").text
    assert "not connected" in text
    assert "connection refused &lt;b&gt;" in text
    alone = connected(panel, network=lambda: NetworkState(("gate",), "AA")).get("/network").text
    assert "this door works by itself" in alone
    assert "is not connected to the door service" in connected(panel, network=None).get("/network").text


def test_what_a_broker_has_against_the_door_is_told_in_the_readers_language(panel):
    """Its English stands beside it for who is asked for help."""
    refused = "hub:8883: the broker refused us: Not authorized; check certificate, user name and password"
    lost = BrokerState("hub:8883", False, 12, panel.clock.now(), refused)
    reader = connected(panel, network=lambda: NetworkState(("gate",), "AA", lost))
    assert reader.get("/network").text.count("Not authorized") == 1
    reader.get("/language/zh")
    chinese = reader.get("/network").text
    assert "hub:8883：MQTT 服务器拒绝了本机：没有权限；请检查证书" in chinese
    assert f'<span lang="en">{refused}</span>' in chinese


def test_the_devices_own_addresses_are_found_without_a_packet():
    addresses = own_addresses()
    assert 1 <= len(addresses) <= 2
    assert all(addresses)


def test_a_backup_is_downloaded_encrypted_logged_and_not_kept(panel, tmp_path):
    panel.desk.residents.put(Resident("flat-7", "Anna Secret"), [])
    installer = panel.logged_in("ines")
    installer.get("/backup")
    answer = installer.post("/backup/make", passphrase=PASSPHRASE, again=PASSPHRASE)

    assert answer.status_code == 200
    assert ".fgb" in answer.headers["content-disposition"]
    assert answer.headers["cache-control"] == "no-store"
    assert b"Anna Secret" not in answer.content
    assert panel.events("panel.backup")[0].data["by"] == "ines"
    assert not [path for path in tmp_path.iterdir() if "backup" in path.name]

    file, data = tmp_path / "back.fgb", tmp_path / "restored"
    file.write_bytes(answer.content)
    restore(file, data, PASSPHRASE, panel.clock.now(), RestoreWish())
    with closing(ResidentStore(data / "residents.db")) as store:
        assert present(store.get("flat-7")).name == "Anna Secret"


@pytest.mark.parametrize(
    ("passphrase", "again"), [("short", "short"), (PASSPHRASE, PASSPHRASE + "!"), ("", "")]
)
def test_a_poor_or_mistyped_passphrase_makes_no_backup(panel, tmp_path, passphrase, again):
    installer = panel.logged_in("ines")
    installer.get("/backup")
    answer = installer.post("/backup/make", passphrase=passphrase, again=again)

    assert answer.status_code == 422
    assert not [path for path in tmp_path.iterdir() if "backup" in path.name]


@pytest.mark.parametrize("role", [Role.STAFF, Role.AUDITOR])
def test_only_an_installer_takes_a_backup(panel, role):
    somebody = panel.logged_in("sam", role)
    somebody.get("/")
    assert somebody.post("/backup/make", passphrase=PASSPHRASE, again=PASSPHRASE).status_code == 403
    assert not panel.events("panel.backup")


def test_about_names_every_library_with_its_licence(panel):
    text = panel.logged_in().get("/about").text
    assert "numpy" in text
    assert "BSD" in text
    assert "pytest" not in text


PAGES_WITH_EVENTS = ("/", "/events", "/events?group=entries", "/test", "/health")


@pytest.mark.parametrize("role", list(Role))
def test_who_makes_staff_open_the_panel_sees_no_duress_alarm(panel, role):
    told(panel, "access.granted", "flat-7", "granted", method="pin")
    told(panel, "alarm.duress", "flat-7", method="pin")
    browser = panel.logged_in("somebody", role)
    for path in PAGES_WITH_EVENTS:
        assert "duress" not in browser.get(path).text.lower()
    assert "flat-7" in browser.get("/events").text  # the entry itself is an ordinary one

    panel.clock.advance(QUIET_SECONDS)
    panel.logged_in("somebody", role)
    browser = panel.logged_in("somebody", role)
    assert ("duress" in browser.get("/events").text.lower()) == (role is not Role.AUDITOR)


def test_a_clock_that_is_set_right_shows_no_duress_alarm_early(panel):
    """Without a battery a board begins hours behind; the first answer of a time server showed it at once."""
    told(panel, "alarm.duress", "flat-7", method="pin")
    panel.clock.step_wall(5 * 3600)
    browser = panel.logged_in("somebody", Role.STAFF)
    for path in PAGES_WITH_EVENTS:
        assert "duress" not in browser.get(path).text.lower()
    panel.clock.advance(QUIET_SECONDS)
    assert "duress" in panel.logged_in("somebody", Role.STAFF).get("/events").text.lower()


def test_the_display_shows_a_duress_entry_as_any_other(panel):
    told(panel, "alarm.duress", "flat-7", method="pin")
    display = panel.browser("127.0.0.1")
    before = display.client.get("/screen/state").json()
    told(panel, "alarm.duress", "flat-7", method="pin")
    after = display.client.get("/screen/state").json()
    assert {**before, "csrf": ""} == {**after, "csrf": ""}


def test_a_filter_looks_beyond_the_newest_page(panel):
    told(panel, "door.opened")
    for _ in range(260):
        told(panel, "access.denied", None, "unknown_credential")
    assert "Door opened" in panel.logged_in().get("/events?group=door").text.replace("the door", "The door")
    assert panel.logged_in().get("/events?before=" + "9" * 400).status_code == 200


def test_the_door_test_shows_each_input_as_its_signal_arrives(panel):
    staff = panel.logged_in("sam", Role.STAFF)
    names = [one["name"] for one in staff.client.get("/test/state").json()["last"]]
    assert names == [
        "Door contact: opened",
        "Door contact: closed",
        "Exit button",
        "Bell",
        "Tamper switch",
        "Fire signal",
    ]
    told(panel, "door.rex")
    state = staff.client.get("/test/state").json()
    assert [one["name"] for one in state["last"] if one["is_seen"]] == ["Exit button"]
    assert state["now"] == [
        {"name": "Door", "value": "closed"},
        {"name": "Lock", "value": "locked"},
        {"name": "Closed and locked", "value": "yes"},
    ]
    assert connected(panel, door=None).client.get("/test/state").json()["now"] == []


def test_the_focus_aid_follows_the_picture(panel):
    browser = panel.logged_in()
    assert browser.client.get("/health/state").json()["sharpness"] is None
    frame = panel.scene.frame(0, (ANNA, 260, 150, 120))
    panel.feed.frame = frame
    sharp = browser.client.get("/health/state").json()
    assert sharp["sharpness"] > 0
    panel.feed.frame = replace(frame, image=frame.image // 8)
    dark = browser.client.get("/health/state").json()
    assert dark["brightness"] < sharp["brightness"]
    assert "dark" in dark["text"]


def test_the_live_view_tells_distance_and_quality_and_names_nobody(panel):
    browser = panel.logged_in()
    panel.gallery.rows["flat-7"] = axis(0)
    panel.feed.frame = panel.scene.frame(0, (ANNA, 260, 150, 120))
    near = browser.client.get("/live/state").json()
    assert "Good. Eye distance" in near["faces"][0]
    assert "flat-7" not in str(near)
    panel.clock.advance(LOOK_SECONDS)
    panel.feed.frame = panel.scene.frame(1, (ANNA, 260, 150, 30))
    assert "closer" in browser.client.get("/live/state").json()["faces"][0]


def test_many_viewers_cost_one_look(panel):
    looks = []

    class Counting:
        def detect(self, image):
            looks.append(image)
            return panel.scene.detect(image)

    sight = FaceOverlay(Counting(), panel.clock)
    frame = panel.scene.frame(0, (ANNA, 260, 150, 120))
    assert [len(sight.faces(frame)) for _ in range(50)] == [1] * 50
    assert len(looks) == 1
    panel.clock.advance(LOOK_SECONDS)
    (face,) = sight.faces(panel.scene.frame(1, (ANNA, 260, 150, 30)))
    assert Flaw.TOO_FAR in face.quality.flaws
    assert len(looks) == 2


def test_who_needs_another_way_in_again_and_again_is_found(panel):
    for _ in range(3):
        told(panel, "access.denied", None, "unknown_credential")
        told(panel, "access.granted", "flat-7", "granted", method="pin")
    told(panel, "access.granted", "flat-7", "granted", method="face")
    told(panel, "access.denied", None, "unknown_credential")  # a stranger, and nobody came in after him
    panel.clock.advance(SOON_SECONDS)
    told(panel, "access.granted", "flat-8", "granted", method="card")
    told(panel, "access.denied", None, "incorrect_authentication_factor", method="pin")
    told(panel, "access.granted", "flat-9", "granted", method="pin")  # mistyped: not the face's fault
    (one,) = troubles(panel.journal.read(0, 100))

    assert (one.resident_id, one.failures, one.entries) == ("flat-7", 3, 4)
    text = panel.logged_in("otto", Role.AUDITOR).get("/failed").text
    assert "flat-7" in text
    assert "flat-8" not in text


def test_the_lists_of_residents(panel):
    now = panel.clock.now()
    panel.desk.residents.put(Resident("old-1", "Bo", valid_until=now - timedelta(days=1)), [])
    panel.desk.residents.put(Resident("new-1", "Cy", valid_from=now + timedelta(days=1)), [])
    panel.desk.residents.put(Resident("flat-1", "Di"), [])
    browser = panel.logged_in()
    over = browser.get("/residents?show=over").text
    assert "old-1" in over
    assert "new-1" in over
    assert "flat-1" not in over
    browser.get("/residents/flat-1")
    crossed = browser.post(
        "/residents/flat-1/change", valid_from="2026-05-01T08:00", valid_until="2026-05-01T08:00"
    )
    assert crossed.status_code == 422
    browser.get("/residents/flat-1")
    browser.post(
        "/residents/flat-1/change", levels="resident", valid_from="2026-05-01T08:00", extended_unlock="yes"
    )
    person = panel.desk.residents.get("flat-1")
    assert person.extended_unlock
    assert person.valid_from.isoformat() == "2026-05-01T08:00:00+00:00"


def test_a_phone_finds_the_page_by_its_code_and_only_the_certificate_is_handed_out(panel, tmp_path):
    certificate, key, _ = own_certificate(tmp_path, ["door"])
    both = tmp_path / "both.pem"
    both.write_bytes(key.read_bytes() + certificate.read_bytes())
    state = replace(panel.desk.network(), certificate=public_certificate(both))
    browser = panel.logged_in("otto", Role.AUDITOR)
    assert browser.get("/network/certificate.crt").status_code == 422, "this one has none"
    browser = connected(panel, network=lambda: state)
    page = browser.get("/network").text
    handed = browser.client.get("/network/certificate.crt")

    assert "https://192.0.2.10/" in page
    assert 'class="qr" src="data:image/svg+xml' in page
    assert handed.content == certificate.read_bytes()
    assert b"PRIVATE" not in handed.content


def test_the_curve_of_thresholds_begins_with_one_person(panel):
    """A small door stood beside it: the curve began at ten people, with the threshold for one below."""
    page = panel.logged_in().get("/models").text
    assert re.findall(r"<tr><td>([\d,]+)</td>", page)[:3] == ["1", "3", "10"]
    first = present(re.search(r'points="([\d.]+),([\d.]+) ', page)).groups()
    assert present(re.search(r'class="here" cx="([\d.]+)" cy="([\d.]+)"', page)).groups() == first


def test_a_fault_of_the_program_is_a_page_in_the_readers_language(panel):
    """It was a bare line in English. The log has the rest; the headers are those of every page."""

    def broken():
        raise ZeroDivisionError

    browser = connected(panel, rules=broken)
    client = TestClient(panel.app, base_url="https://door", raise_server_exceptions=False)
    client.cookies = browser.client.cookies
    answer = client.get("/test?opened=yes", headers={"accept-language": "zh"})
    assert answer.status_code == 500
    assert 'lang="zh-CN"' in answer.text
    assert "ZeroDivisionError" not in answer.text
    assert "default-src 'none'" in answer.headers["content-security-policy"]


def test_a_second_backup_takes_nobody_theirs_away_and_removes_what_was_left(panel, tmp_path):
    """The first person's download ended with an error: the second request had removed the file."""
    left = tmp_path / ".panel-backup-0000.fgb"
    left.write_bytes(b"of a crash")
    first, second = (panel.desk.back_up(PASSPHRASE) for _ in range(2))
    assert first.exists()
    assert not left.exists()
    panel.clock.advance(HANDED_OUT_SECONDS + 1)
    third = panel.desk.back_up(PASSPHRASE)
    assert [one.exists() for one in (first, second, third)] == [False, False, True]
