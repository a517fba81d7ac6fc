"""Camera addresses as people write them: what is sent, and what is shown."""

from __future__ import annotations

from urllib.parse import unquote, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.addresses import Address, masked
from edge.camera.source import check_source
from edge.errors import ConfigError
from tests.present import present

PASSWORDS = ["hunter2", "p@ss", "a#b", "a/b", "a?b", "a:b", "50%", "a b", "[x]", "中文"]
PASSWORDS += ["!$&*", "12/3", "@/#?:", "a@b/c"]


@pytest.mark.parametrize("password", PASSWORDS)
@pytest.mark.parametrize("place", ["127.0.0.1:8554", "cam.lan", "[::1]:554"])
@pytest.mark.parametrize("tail", ["/cam", "", "/live?channel=1"])
def test_a_password_is_written_raw_and_sent_escaped(password, place, tail):
    sent = present(Address.parse(f"rtsp://keeper:{password}@{place}{tail}")).sent()
    parts = urlsplit(sent)
    assert parts.password is not None
    assert unquote(parts.password) == password
    assert (parts.username, parts.path) == ("keeper", urlsplit(f"rtsp://x{tail}").path)
    assert parts.netloc.endswith(f"@{place}")


@pytest.mark.parametrize("escaped", ["a%23b", "a%2Fb", "50%25"])
def test_what_is_escaped_already_stays(escaped):
    assert (
        present(Address.parse(f"rtsp://keeper:{escaped}@10.0.0.8/cam")).sent()
        == f"rtsp://keeper:{escaped}@10.0.0.8/cam"
    )


@pytest.mark.parametrize(
    "source",
    [
        "rtsp://192.0.2.7:554/user=admin_password=Geheim99_channel=1_stream=0.sdp",
        "rtsp://192.0.2.7/cam?channel=1&user=admin&password=Geheim99",
        "rtsp://admin:Geheim99@192.0.2.7/live",
        "RTSP://admin:Geheim99@192.0.2.7/live",
        "rtsp://admin:Gehe/im#Geheim99@192.0.2.7/live",
        "rtsp://Geheim99@192.0.2.7/live",
        "rtsp://192.0.2.7/x?Geheim99",
        "http://192.0.2.7/cgi?pwd=Geheim99",
        "rtsp://192.0.2.7/live/admin/Geheim99",
        "rtsp://192.0.2.7/u=x&p=Geheim99",
        "rtsp://192.0.2.7/x:Geheim99/1",
        "rtsp://192.0.2.7:7447/5cfu39Geheim99b2c677e_0",
        "rtsps://192.0.2.7:7441/x8Kd7aGeheim99LmN2",
        "rtsp://192.0.2.7/live/8d3f9c2aGeheim99",
        "ffmpeg:rtsp://admin:Geheim99@192.0.2.7/live#video=copy",
        "rtsp：//admin:Geheim99@192.0.2.7/live",
        "rtsp:/admin:Geheim99@192.0.2.7/live",
        " rtsp:\\\\admin:Geheim99@192.0.2.7",
        "exec:ffmpeg -i rtsp://admin:Geheim99@192.0.2.7/live",
        "admin:Geheim99@192.0.2.7",
        "admin:Geheim99@192.0.2.7:554/live",
        "admin/Geheim99@192.0.2.7",
        "rtsp://admin：Geheim99@192.0.2.7/live",
        "rtsp://ａdmin:Geheim99＠192.0.2.7/live",
        "rtsp：／／admin：Geheim99＠192.0.2.7／live",
        "rtsp://192.0.2.7／live？pwd＝Geheim99",
    ],
)
def test_no_password_is_shown(source):
    if "://Geheim99@" in source:
        assert masked(source) == "rtsp://Geheim99:********@192.0.2.7/live", "a user alone is no password"
        return
    assert "Geheim99" not in masked(source)
    assert "192.0.2.7" in masked(source)


def test_what_holds_no_secret_is_shown_as_it_is():
    plain = ("0", "/dev/video0", "picamera", "clip.mp4", "clips/me@home.mp4", "see https://a.b/c")
    wide = ("/var/lib/x：y@home.mp4", "clip。mp4")
    for source in (*plain, *wide, "rtsp://10.0.0.8/Streaming/Channels/101"):
        assert masked(source) == source


CAMERAS = ["RTSP://10.0.0.8/x", "rtsps://u:p@h/x", "0", "picamera:1", "walk.mp4", "/dev/video0"]


@pytest.mark.parametrize("source", CAMERAS)
def test_cameras_of_every_kind_are_understood(source):
    check_source(source)


@pytest.mark.parametrize(
    "source", ["http://10.0.0.8/stream", "udp://@239.0.0.1:1234", "rtsp://", "rtsp://u:p@"]
)
def test_an_address_that_no_camera_understands_is_refused(source):
    with pytest.raises(ConfigError, match=r"camera\.source"):
        check_source(source)


@pytest.mark.parametrize(
    ("source", "write"),
    [
        ("192.0.2.7", "rtsp://"),
        ("192.0.2.7:554/live", "rtsp://"),
        ("video0", "/dev/video0"),
        ("USB", "/dev/video0"),
        ("-1", "/dev/video0"),
        ("libcamera", "picamera"),
        ("picamera2", "picamera"),
        ("csi", "picamera"),
        ("ffmpeg:rtsp://admin:Geheim99@192.0.2.7/live#video=copy", "behind the first colon"),
        ("onvif://admin:Geheim99@192.0.2.7", "rtsp://"),
        ("admin:Geheim99@192.0.2.7", "rtsp://"),
        ("admin:Geheim99@cam.lan/live", "rtsp://"),
        ("admin/Geheim99@192.0.2.7:554", "rtsp://"),
        ("cam.lan:554/live", "rtsp://"),
        ("rtsp//192.0.2.7/live", "rtsp://"),
        ("usb:0", "/dev/video0"),
        ("csi:0", "picamera"),
        ("~/walk.mp4", "from / on"),
        ("C:\\walk.mp4", "from / on"),
    ],
)
def test_a_camera_named_as_other_programs_do_is_no_file(source, write):
    with pytest.raises(ConfigError) as refused:
        check_source(source)
    assert write in str(refused.value)
    assert "Geheim99" not in str(refused.value)


def test_a_wide_sign_is_named_with_the_plain_one_and_a_password_may_have_any():
    with pytest.raises(ConfigError, match=r"'：' \(U\+FF1A\) is a wide sign; write :"):
        check_source("rtsp://keeper：Geheim99@10.0.0.8/x")
    check_source("rtsp://keeper:＃５。＠@10.0.0.8/大门（北）")
    check_source("rtsp://127.1/x")


@given(st.text(max_size=80))
def test_any_text_is_parsed_without_a_crash(text):
    for source in (text, f"rtsp://{text}", f"rtsp://a:{text}@h/x"):
        address = Address.parse(source)
        if address is not None:
            address.sent()
        masked(source)


@pytest.mark.parametrize(
    "source",
    [
        "rtsp:/10.0.0.8/x",
        "rtsp：//10.0.0.8/x",
        "rtsp:／／10.0.0.8/x",
        "rtsp:\\\\10.0.0.8\\x",
        " rtsp:// 10.0.0.8",
        "http:10.0.0.8",
        "rtsp://10.0.0.8:99999/x",
        "rtsp://admin:Geheim99@10.0.0.8:0/x",
        "rtsp://admin：Geheim99@10.0.0.8/x",
        "rtsp://admin:Geheim99＠10.0.0.8/x",
        "rtsp://10。0。0。8/x",
        "rtsp://10.0.0.8／x",
        "rtsp://10.0.0.400/x",
    ],
)
def test_an_address_with_a_slip_is_no_file(source):
    with pytest.raises(ConfigError) as refused:
        check_source(source)
    assert "Geheim99" not in str(refused.value)
