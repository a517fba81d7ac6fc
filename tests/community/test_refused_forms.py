"""A refused form comes back as it was sent, on the console and on residents' phones, with why above it."""

from __future__ import annotations

import re
from contextlib import closing

import pytest

from facegate_hub.web.refill import SentForm, refilled
from tests.community.compound import new_compound
from tests.community.test_console_doors import Gate, entered
from tests.community.web import URL, resident, staff

PAGE = """<main><h1>People</h1>
<details><summary>Other</summary><form method="post" action="/act"><input type="hidden" name="id" value="1">
<input name="name" value="old"></form></details>
<details><summary>New</summary><form method="post" action="/act?x=1"><input type="hidden" name="id" value="2">
<input type="hidden" name="csrf" value="new"><input name="name" value="old">
<input type="password" name="secret">
<input type="checkbox" name="door" value="a" checked><input type="checkbox" name="door" value="b">
<input type="checkbox" name="sure"><select name="kind"><option value="x" selected>X</option>
<option value="y">Y &amp; Z</option></select><textarea name="text">
old</textarea></form></details></main>"""


def sent(**fields):
    return SentForm("/act", fields, "Not <b>so</b>.", "To it", "name")


def test_the_form_that_was_sent_is_filled_in_and_unfolded_and_no_other():
    fields = {"id": ["2"], "csrf": ["old"], "name": ['a"b'], "secret": ["s3cret"], "door": ["b"]}
    page = refilled(PAGE, sent(**fields, kind=["y"], text=["<i>new</i>"], sure=["on"]))
    assert page is not None
    first, second = page.split("</details>")[:2]
    assert '<p role="alert" class="bad" id="refused">Not <b>so</b>. <a href="#again">To it</a></p>' in first
    assert 'value="old"' in first
    assert "open" not in first
    assert "<details open>" in second
    assert 'value="a&quot;b" aria-invalid="true" aria-describedby="refused"' in second
    assert "s3cret" not in page
    assert 'value="a">' in second
    assert 'value="b" checked>' in second
    assert '<input type="checkbox" name="sure" checked>' in second
    assert '<option value="x">X' in second
    assert '<option value="y" selected>Y &amp; Z' in second
    assert "\n&lt;i&gt;new&lt;/i&gt;</textarea>" in second
    assert second.count("old") == 0


def test_a_page_without_that_form_is_not_shown_instead():
    assert refilled(PAGE, sent(id=["3"])) is None
    assert refilled("<main></main>", sent(id=["2"])) is None


def test_nothing_typed_at_the_desk_is_lost(tmp_path):
    with closing(Gate(tmp_path)) as gate:
        gate.principal("mei", role="manager")
        desk = entered(gate, "mona", "mei")
        for path, action, fields, why in (
            ("/people/new", "/people/new", {"name": "王五", "flat": "9-9", "contact": "138"}, "9-9"),
            ("/access", "/access", {"id": "3-1", "name": "赵六", "valid_from": "2030-02-02",
                                    "valid_until": "2030-01-01"}, ""),
            ("/new", "/new", {"kind": "repair", "category": "water", "flat": "9-9", "text": "滴水"}, ""),
            ("/notices", "/notices", {"title_zh": "停水", "text": "明天", "ends": "never"}, ""),
        ):  # fmt: skip
            desk.get(path)
            desk.client.headers["referer"] = f"{URL}{path}"
            desk.send(action, **fields)
            assert desk.status == 422, path
            assert 'id="refused"' in desk.page, path
            assert why in desk.page.split('id="refused"')[1].split("</p>")[0], path
            for name, value in fields.items():
                if name not in {"kind", "category", "ends"}:
                    assert re.search(rf'name="{name}"[^>]*(value="{value}"|>\n{value})', desk.page), name


def test_what_the_signer_refuses_comes_back_too(tmp_path):
    with closing(Gate(tmp_path)) as gate:
        gate.principal("gao", role="guard")
        desk = entered(gate)
        desk = entered(gate, "mona", "gao")
        desk.get("/access")
        desk.client.headers["referer"] = f"{URL}/access"
        desk.send("/access", id="3-1", name="赵六", levels="resident")
        assert desk.status == 409
        assert "gao does not have the right “roster”" in desk.page
        assert 'value="赵六"' in desk.page


@pytest.mark.parametrize(
    "referer", ["", "https://evil.example/new", f"{URL}/tickets/999", "https://testserver:x"]
)
def test_a_form_from_nowhere_is_answered_by_a_page_that_says_why(tmp_path, referer):
    phone = resident(new_compound(tmp_path), "li")
    phone.get("/new")
    phone.client.headers["referer"] = referer
    phone.send("/new", text="", flat="9-9")
    assert phone.status == 422
    assert 'role="alert"' in phone.page
    assert 'id="refused"' not in phone.page


def test_a_resident_finds_what_they_wrote(tmp_path):
    phone = resident(new_compound(tmp_path), "li")
    phone.get("/new")
    phone.client.headers["referer"] = f"{URL}/new"
    phone.send("/new", kind="complaint", text="夜里太吵", flat="9-9", place="三楼")
    assert phone.status == 422
    assert "\n夜里太吵</textarea>" in phone.page
    assert '<option value="complaint" selected>' in phone.page


def test_a_page_that_somebody_may_not_see_is_not_shown_by_a_refusal(tmp_path):
    guard = staff(new_compound(tmp_path), "guard-1")
    guard.get("/")
    guard.client.headers["referer"] = f"{URL}/accounts"
    csrf = guard.page.split('name="csrf" value="')[1].split('"')[0]
    answer = guard.client.post("/visitors/none/end", data={"csrf": csrf, "why": "x"})
    assert answer.status_code == 422
    assert "technician-1" not in answer.text


def test_a_page_for_residents_is_not_made_for_somebody_who_is_not_in(tmp_path):
    phone = resident(new_compound(tmp_path))
    phone.get("/enter")
    csrf = phone.page.split('name="csrf" value="')[1].split('"')[0]
    phone.client.headers["referer"] = f"{URL}/me"
    answer = phone.client.post("/enter/accept", data={"csrf": csrf, "code": "AAAA-AAAA-AAAA-AAAA"})
    assert answer.status_code == 422
    assert 'id="refused"' not in answer.text
