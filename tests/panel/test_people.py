"""Enrolling in the browser, looking people up, withdrawing: with what must be refused."""

from __future__ import annotations

import json
import re
import struct
import zlib
from contextlib import ExitStack
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import cast
from zoneinfo import ZoneInfo

import cv2
import numpy as np
import pytest

from edge.consent.receipt import verified
from edge.consent.rules import objection_to_match
from edge.domain import EventDraft, Resident
from edge.errors import LockError
from edge.events import Kind
from edge.web.accounts import Role
from edge.web.guard import MOST_BODY_BYTES
from tests.fakes.scene import START, Actor, axis, leaning
from tests.panel.office import ANNA, open_panel, photo
from tests.present import present

HOSTILE = '<script>alert(1)</script>"><img src=x onerror=alert(1)>{{7*7}}'


def enrol(panel, browser, resident_id="flat-7", photos=3, **fields):
    browser.get("/enrol")
    files = [("photos", (f"{n}.png", photo(panel.scene), "image/png")) for n in range(photos)]
    return browser.post("/enrol/photos", files=files, resident_id=resident_id, agrees="yes", **fields)


def enrolled(panel, browser, resident_id="flat-7", **fields):
    enrol(panel, browser, resident_id, **fields)
    answer = browser.post("/enrol/save")
    assert answer.status_code == 200, answer.text
    return panel.desk.residents.get(resident_id)


def watch(panel, browser, frames, actor=ANNA, width=120, each=1):
    """Put frames, one of `each`, before the camera until the enrolment is over; return what was said."""
    said = []
    for seq in range(0, frames, each):
        frame = panel.scene.frame(seq, (actor, 260, 150, width))
        panel.feed.frame = replace(frame, seq=seq)
        for _ in range(200):
            state = browser.client.get("/enrol/state").json()
            now = panel.desk.studio.now
            if state["over"] or (now.progress and now.progress.seconds_left <= 50 - frame.time + 1e-6):
                break
        said.append(state)
        if state["over"]:
            break
    return said


def test_somebody_is_enrolled_at_the_camera_with_guidance(panel):
    browser = panel.logged_in("sam", Role.STAFF)
    browser.get("/enrol")
    answer = browser.post("/enrol/start", resident_id="flat-7", name="安娜", agrees="yes")
    assert answer.url.path == "/enrol/now"

    said = watch(panel, browser, 600, each=4)

    assert said[-1]["over"]
    assert {"look_here", "turn_left"} <= {state.get("code") for state in said}
    assert "pictures of the face are good" in browser.get("/enrol/now").text
    assert browser.post("/enrol/save").status_code == 200
    assert panel.desk.residents.get("flat-7").name == "安娜"
    assert [event.data["by"] for event in panel.events("enrol.saved")] == ["sam"]


def test_every_template_stored_has_a_consent_in_force(panel):
    enrolled(panel, panel.logged_in())

    templates = panel.desk.residents.templates_of("flat-7")
    in_force = panel.desk.consents.in_force()
    assert templates
    assert all(objection_to_match(template, in_force) is None for template in templates)


def test_without_consent_the_camera_is_not_even_opened(panel):
    browser = panel.logged_in()
    browser.get("/enrol")
    answer = browser.post("/enrol/start", resident_id="flat-7")

    assert answer.status_code == 422
    assert "no consent" in answer.text
    assert panel.feed.leases == 0
    assert panel.desk.studio.now is None


def test_a_minor_is_enrolled_only_where_allowed_and_with_a_guardian(panel, tmp_path):
    assert "does not enrol children" in enrol(panel, panel.logged_in(), minor="yes", guardian="Li Mei").text

    (tmp_path / "other").mkdir()
    with ExitStack() as stack:
        other = open_panel(tmp_path / "other", stack, minors_allowed=True)
        browser = other.logged_in()
        assert "parent or guardian who agrees" in enrol(other, browser, minor="yes").text
        enrolled(other, browser, minor="yes", guardian="Li Mei")
        assert other.desk.consents.of("flat-7")[0].guardian == "Li Mei"


def test_a_look_alike_is_refused_and_only_an_installer_overrides_with_a_reason(panel):
    panel.gallery.rows["flat-1203"] = leaning(0, 0.8)
    staff = panel.logged_in("sam", Role.STAFF)
    assert "flat-1203" in enrol(panel, staff).text
    assert staff.post("/enrol/save", reason="they are twins").status_code == 422
    assert panel.desk.residents.get("flat-7") is None
    staff.get("/enrol/now")
    staff.post("/enrol/discard")
    assert panel.events("enrol.dropped")[0].data["why"] == "look_alike"

    installer = panel.logged_in("ines")
    enrol(panel, installer)
    assert installer.post("/enrol/save", reason=" ").status_code == 422
    assert installer.post("/enrol/save", reason="they are twins").status_code == 200
    event = panel.events("enrol.saved")[0]
    assert event.data["override_reason"] == "they are twins"
    assert event.data["other"] == "flat-1203"


def test_one_enrolment_at_a_time_and_forgotten_after_three_minutes(panel):
    browser = panel.logged_in()
    enrol(panel, browser)
    assert enrol(panel, browser, "flat-8").status_code == 422
    panel.clock.advance(181)
    assert panel.desk.studio.now is None
    assert browser.post("/enrol/save").status_code == 422
    assert enrol(panel, browser, "flat-8").status_code == 200


def test_photos_pass_the_same_gates(panel):
    browser = panel.logged_in()
    browser.get("/enrol")
    far = [("photos", ("far.png", photo(panel.scene, width=40), "image/png"))] * 2
    answer = browser.post("/enrol/photos", files=far, resident_id="flat-7", agrees="yes")

    assert answer.status_code == 422
    assert "come closer" in answer.text


def png_bomb(width, height):
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    pixels = zlib.compress(bytes(10_000_000))
    chunks = [(b"IHDR", header), (b"IDAT", pixels), (b"IEND", b"")]
    body = b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in chunks
    )
    return b"\x89PNG\r\n\x1a\n" + body


@pytest.mark.parametrize(
    "data", [png_bomb(65_000, 65_000), b"GIF89a" + bytes(100), b"", b"\xff\xd8" + bytes(50), b"<svg/>"]
)
def test_bombs_and_what_is_no_picture_are_refused_before_decoding(panel, data):
    browser = panel.logged_in()
    browser.get("/enrol")
    files = [("photos", ("bomb.png", data, "image/png"))] * 2
    answer = browser.post("/enrol/photos", files=files, resident_id="flat-7", agrees="yes")

    assert answer.status_code == 422
    assert panel.desk.studio.now is None


def test_a_body_that_is_too_large_or_of_unknown_length_is_not_read(panel):
    browser = panel.logged_in()
    large = {"content-length": str(MOST_BODY_BYTES + 1)}
    refused = browser.client.post("/enrol/photos", content=b"x", headers=large | {"accept-language": "zh"})
    assert refused.status_code == 413
    assert 'lang="zh-CN"' in refused.text, "a page, in the reader's language"
    assert 'role="alert"' in refused.text
    assert "<h1>" in refused.text
    browser.get("/language/zh")
    refused = browser.client.post("/enrol/photos", content=b"x", headers=large | {"accept-language": "en"})
    assert 'lang="zh-CN"' in refused.text, "the language chosen on the page counts before the browser's"
    assert "8 MB" in refused.text
    chunks = (b"x" for _ in range(3))
    assert browser.client.post("/enrol/photos", content=chunks).status_code == 411
    assert browser.client.post("/login", content=b"x", headers={"content-length": "-1"}).status_code == 413


def test_too_many_files_are_refused(panel):
    assert enrol(panel, panel.logged_in(), photos=9).status_code == 400


def test_a_hostile_name_is_text_everywhere(panel):
    browser = panel.logged_in()
    enrolled(panel, browser, name=HOSTILE)
    panel.desk.residents.put(Resident("x<b>y", HOSTILE), [])
    panel.desk.log.record(
        EventDraft(cast("Kind", "x.<script>"), START, 1.0, "x<b>y", None, {"text": HOSTILE})
    )
    for path in (
        "/residents",
        "/residents/flat-7",
        "/residents/x<b>y",
        "/residents?q=<script>",
        "/events",
        "/",
    ):
        text = browser.get(path).text
        assert "<script>alert" not in text
        assert "<img src=x" not in text
        assert "x<b>y" not in text
    assert "&lt;script&gt;" in browser.get("/residents/flat-7").text
    assert "&lt;script&gt;" in browser.get(f"/enrol?name={HOSTILE}").text


@pytest.mark.parametrize("resident_id", ["", " ", "x" * 129, "a\x00b", "../../etc"])
def test_an_impossible_resident_number_is_refused(panel, resident_id):
    assert enrol(panel, panel.logged_in(), resident_id).status_code == 422


def test_withdrawing_destroys_the_key_and_gives_a_signed_receipt(panel):
    browser = panel.logged_in("sam", Role.STAFF)
    enrolled(panel, browser, name="安娜")
    browser.get("/residents/flat-7")
    answer = browser.post("/residents/flat-7/withdraw", typed="flat-7")

    assert answer.status_code == 200
    assert "data:image/svg+xml" in answer.text
    line = panel.desk.consents.receipt_of("flat-7")
    assert line in answer.text
    receipt = verified(line, panel.desk.receipt_key().public_key())
    assert receipt.templates >= 1
    assert receipt.key in panel.events("face.erased")[0].data["key"]
    assert panel.desk.residents.templates_of("flat-7") == ()
    assert panel.desk.residents.sealer.people() == ()
    assert panel.desk.consents.in_force() == {}
    assert panel.desk.residents.get("flat-7").name == "安娜"  # PIN and card go on
    assert panel.events("consent.withdrawn")[0].data["by"] == "sam"


def test_a_person_gets_everything_that_is_stored(panel):
    browser = panel.logged_in()
    enrolled(panel, browser, name="Anna")
    browser.get("/residents/flat-7")
    data = json.loads(browser.post("/residents/flat-7/export").text)

    assert data["resident"]["name"] == "Anna"
    assert data["consents"][0]["notice"]
    assert len(data["resident"]["templates"]) >= 1


def test_rights_change_and_templates_stay(panel):
    browser = panel.logged_in()
    enrolled(panel, browser)
    browser.get("/residents/flat-7")
    browser.post("/residents/flat-7/change", levels=["resident", "garage"], valid_until="2026-12-31T18:00")

    person = panel.desk.residents.get("flat-7")
    assert person.access_levels == ("resident", "garage")
    assert person.valid_until == datetime(2026, 12, 31, 18, tzinfo=UTC)
    assert panel.desk.residents.templates_of("flat-7")
    assert browser.post("/residents/flat-7/change", valid_until="soon").status_code == 422


def test_a_page_that_was_left_open_gives_no_right_back(panel):
    """Its form holds all of somebody's rights: whoever saved a name would give a level back with it."""
    panel.desk.residents.put_people([Resident("a", "Anna", ("resident", "garage"))])
    browser = panel.logged_in()
    seen = present(re.search(r'name="seen" value="([^"]+)"', browser.get("/residents/a").text))[1]
    panel.desk.residents.put_people([Resident("a", "Anna", ("resident",))])
    held = {"levels": ["resident", "garage"], "seen": seen}
    answer = browser.post("/residents/a/change", name="Anna Li", **held)
    assert answer.status_code == 422
    assert "Somebody else has changed this person" in answer.text
    assert browser.post("/residents/a/change", name="Anna Li", **held).status_code == 422
    assert panel.desk.residents.get("a") == Resident("a", "Anna", ("resident",))
    seen = present(re.search(r'name="seen" value="([^"]+)"', browser.get("/residents/a").text))[1]
    browser.post("/residents/a/change", name="Anna Li", levels="resident", seen=seen)
    assert panel.desk.residents.get("a") == Resident("a", "Anna Li", ("resident",))


@pytest.mark.parametrize(
    ("typed", "at"),
    [
        ("2026-12-31", datetime(2026, 12, 31, 16, tzinfo=UTC)),
        ("20261231", datetime(2026, 12, 31, 16, tzinfo=UTC)),
        ("2026年12月31日", datetime(2026, 12, 31, 16, tzinfo=UTC)),
        ("２０２６/12/31 18：00", datetime(2026, 12, 31, 10, tzinfo=UTC)),
        ("2026-12-31 24:00", datetime(2026, 12, 31, 16, tzinfo=UTC)),
        ("2026-12-31T18:00Z", datetime(2026, 12, 31, 18, tzinfo=UTC)),
        ("2026-12-31T18:00+09:00", datetime(2026, 12, 31, 9, tzinfo=UTC)),
    ],
)
def test_the_end_of_somebody_s_rights_is_read_as_people_write_it(tmp_path, typed, at):
    with ExitStack() as stack:
        panel = open_panel(tmp_path, stack, zone=ZoneInfo("Asia/Shanghai"))
        panel.desk.residents.put_people([Resident("a", "Anna")])
        browser = panel.logged_in()
        browser.get("/residents/a")
        browser.post("/residents/a/change", levels="resident", valid_until=typed)
        assert present(panel.desk.residents.get("a")).valid_until == at


def test_times_are_those_of_the_sites_clocks(tmp_path):
    with ExitStack() as stack:
        panel = open_panel(tmp_path, stack, zone=ZoneInfo("Asia/Shanghai"))
        browser = panel.logged_in()
        enrolled(panel, browser)
        browser.get("/residents/flat-7")
        browser.post("/residents/flat-7/change", levels="resident", valid_until="2026-12-31T18:00")

        assert present(panel.desk.residents.get("flat-7")).valid_until == datetime(
            2026, 12, 31, 10, tzinfo=UTC
        )
        page = browser.get("/residents/flat-7").text
        assert 'value="2026-12-31T18:00"' in page
        assert "Beijing time" in page
        now = panel.clock.now().astimezone(ZoneInfo("Asia/Shanghai"))
        events = browser.get("/events").text
        assert f"{now:%Y-%m-%d %H:%M}" in events
        assert "UTC" not in events


def test_the_picture_is_small_never_cached_and_only_while_somebody_looks(panel):
    browser = panel.logged_in()
    assert browser.get("/live.jpg").status_code == 204
    panel.feed.frame = panel.scene.frame(0, (ANNA, 260, 150, 120))
    answer = browser.get("/live.jpg")

    assert answer.headers["cache-control"] == "no-store"
    assert present(cv2.imdecode(np.frombuffer(answer.content, np.uint8), 1)).shape[1] == 480
    assert b"Exif" not in answer.content
    assert panel.feed.leases == 2


def test_events_are_told_in_words_newest_first_and_paged(panel):
    browser = panel.logged_in()
    for n in range(120):
        data = {"similarity": 0.7, "threshold": 0.5}
        panel.desk.log.record(EventDraft(Kind.ACCESS_GRANTED, START, float(n), f"flat-{n}", "granted", data))
    page = browser.get("/events").text

    assert page.index("flat-119") < page.index("flat-100")
    assert "Let in (gate). Person: flat-119." in page
    assert "flat-60" not in page
    older = page.split('href="/events?before=')[1].split('"')[0]
    assert "flat-60" in browser.get(f"/events?before={older}").text
    browser.get("/language/zh")
    assert "已开门" in browser.get("/events").text


def test_the_door_test_opens_once_and_says_so_first(panel):
    panel.logged_in()
    staff = panel.logged_in("sam", Role.STAFF)
    staff.get("/test")
    assert staff.post("/test/pulse", sure="yes").status_code == 403
    installer = panel.logged_in("ines")
    installer.get("/test")
    assert installer.post("/test/pulse").status_code == 422, "opening is confirmed"
    assert not panel.pulses
    installer.post("/test/pulse", sure="yes")

    assert len(panel.pulses) == 1
    assert panel.events("panel.door_test")[0].data["by"] == "ines"


def test_what_cannot_be_logged_is_not_done(panel):
    installer = panel.logged_in()
    installer.get("/test")
    panel.journal.close()
    panel.journal._path.unlink()
    panel.journal._path.mkdir()  # no journal can be made there any more
    answer = installer.post("/test/pulse", sure="yes")

    assert answer.status_code == 422
    assert "cannot store panel.door_test" in answer.text
    assert not panel.pulses


def test_what_was_logged_and_failed_is_logged_as_failed(panel):
    """The door was locked down meanwhile: the journal must not go on saying that it opened."""
    installer = panel.logged_in()
    installer.get("/test")
    panel.troubles.append(LockError("relay guard: it has gone"))
    assert installer.post("/test/pulse", sure="yes").status_code in {422, 503}

    (tried,), (failed,) = panel.events("panel.door_test"), panel.events("panel.failed")
    assert (failed.data["entry"], failed.data["kind"]) == (tried.seq, "panel.door_test")


def test_health_and_threshold_show_numbers(panel):
    browser = panel.logged_in("otto", Role.AUDITOR)
    panel.feed.frame = panel.scene.frame(0, (ANNA, 260, 150, 120))
    assert "Sharpness" in browser.get("/health").text
    assert "0.40" in browser.get("/models").text
    assert "test" in browser.get("/about").text


def test_a_visitor_past_his_date_and_the_search(panel):
    browser = panel.logged_in()
    until = panel.clock.now() - timedelta(days=1)
    panel.desk.residents.put(Resident("v-1", "Courier", valid_until=until), [])
    panel.desk.residents.put(Resident("flat-2", "Bo"), [])
    text = browser.get("/residents?q=cour").text
    assert "v-1" in text
    assert "flat-2" not in text
    assert browser.get("/residents/nobody").status_code == 422


def test_somebody_else_before_the_camera_is_not_enrolled(panel):
    other = Actor(1, axis(1))
    panel.scene.actors.append(other)
    browser = panel.logged_in()
    browser.get("/enrol")
    browser.post("/enrol/start", resident_id="flat-7", agrees="yes")
    watch(panel, browser, 20)
    for seq in range(100, 160):
        panel.feed.frame = replace(panel.scene.frame(seq, (other, 260, 150, 120)), seq=seq)
        while not (state := browser.client.get("/enrol/state").json())["over"]:
            progress = panel.desk.studio.now.progress
            if progress.seconds_left <= 50 - seq / 15 + 1e-6:
                break
        if state["over"]:
            break

    assert "same person" in browser.get("/enrol/now").text
    assert browser.post("/enrol/save").status_code == 422


@pytest.mark.parametrize("resident_id", ["3栋1203", "3/1203", "flat 12"])
def test_a_flat_is_named_as_it_is_written_on_the_door(panel, resident_id):
    browser = panel.logged_in()
    enrolled(panel, browser, resident_id, name="李\u3000伟")
    assert panel.desk.residents.get(resident_id).name == "李 伟"
    assert "李 伟" in browser.get(f"/residents/{resident_id}").text
    form = {"levels": "resident，cleaner", "valid_from": "", "valid_until": ""}
    browser.get(f"/residents/{resident_id}")
    assert browser.post(f"/residents/{resident_id}/change", **form).status_code in {200, 303}
    assert panel.desk.residents.get(resident_id).access_levels == ("resident", "cleaner")


def test_a_name_that_cannot_be_printed_is_refused_before_the_sitting(panel):
    browser = panel.logged_in()
    browser.get("/enrol")
    assert enrol(panel, browser, "flat-7", name="a\x07b").status_code == 422
    assert panel.desk.studio.now is None


def test_who_is_enrolled_and_not_matched_is_red(panel):
    browser = panel.logged_in()
    enrolled(panel, browser)
    assert "not matched" not in browser.get("/").text + browser.get("/residents").text
    panel.unmatched["flat-7"] = "template 0 has norm 2"
    assert "Not matched by the door" in browser.get("/").text
    assert "Enrolled, but not matched by the door" in browser.get("/residents?show=unmatched").text
    assert "template 0 has norm 2" in browser.get("/residents/flat-7").text


def test_a_card_that_fails_is_red_on_the_overview(panel):
    browser = panel.logged_in()
    assert "The card fails" not in browser.get("/").text
    panel.failing.append("residents.db")
    assert "<strong>residents.db</strong> The card fails" in browser.get("/").text
