"""Settings: every mistake at once, each with the key, the value, the rule and a way out."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.config import describe, load_settings
from edge.errors import ConfigError
from tests.present import present

if TYPE_CHECKING:
    from pathlib import Path

GOOD = """
[door]
id = "north-gate"

[camera]
source = "rtsp://cam:sesame@127.0.0.1/live"

[lock]
driver = "gpio"
pin = 17
active_high = true
lock_wiring = "fail-secure"
"""


@pytest.fixture
def written(tmp_path: Path):
    def write(text: str) -> Path:
        path = tmp_path / "config.toml"
        path.write_text(text, encoding="utf-8")
        return path

    return write


def refusal(path: Path) -> str:
    with pytest.raises(ConfigError) as caught:
        load_settings(path)
    return str(caught.value)


def test_a_small_file_is_enough_and_the_rest_has_defaults(written):
    settings = load_settings(written(GOOD))

    assert settings.door.id == "north-gate"
    assert settings.recognition.fpir == 1e-3
    assert settings.recognition.liveness == "passive"
    assert settings.journal.on_failure == "open"
    assert settings.mqtt is None


def test_every_mistake_is_listed_at_once(written):
    text = refusal(
        written(
            """
            [door]
            id = "no spaces please"
            [camera]
            sourc = "0"
            [lock]
            driver = "gpio"
            pin = 99
            [recognition]
            fpir = 0.5
            """
        )
    )

    assert "config.toml: 5 mistakes:" in text
    assert "camera.source: missing" in text
    assert "camera.sourc: unknown; did you mean source?" in text
    assert "lock.pin = 99" in text
    assert "recognition.fpir = 0.5" in text
    assert "door.id" in text


@pytest.mark.parametrize(
    ("extra", "words"),
    [
        ("[recognition]\nsimilarity = 0.1", "recognition.similarity = 0.1"),
        ("[recognition]\nzone = [0.9, 0, 0.1, 1]", "left must be under right"),
        ("[recognition]\nfpir = nan", "recognition.fpir"),
        ('[mqtt]\nhost = "10.0.0.2"', "never anonymous"),
        ('[mqtt]\nhost = "10.0.0.2"\nusername = "x"\ntls = false', "tls: must not be false"),
        ('[mqtt]\nhost = "10.0.0.2"\ncert_file = "a.crt"', "cert_file and key_file"),
        ('[mqtt]\nhost = "mqtt://localhost"', 'mqtt.host = "mqtt://localhost": write the broker'),
        ('[mqtt]\nhost = "127.0.0.1:1883"', "name or address alone, without mqtt:// and port"),
        ('[mqtt]\nhost = "localhost"\nhome_assistant_prefix = "home/#"', "use up to 64 of A-Z"),
        (
            '[held]\nquiet_from = "24:00"\nquiet_to = "6:00"',
            'held.quiet_to = "6:00": write hours and minutes',
        ),
        ('[metrics]\nlisten = "9464"', 'metrics.listen = "9464": write host:port'),
        ('[storage]\ndirectory = "~/door"', 'storage.directory = "~/door": only a shell knows ~'),
        ('[access]\nrules = "~keeper/rules.toml"', "write the whole path"),
        ('[mqtt]\nhost = "localhost"\npassword = "p"\npassword_file = "f"', "give one of them"),
    ],
)
def test_absurd_or_dangerous_settings_are_refused(written, extra, words):
    assert words in refusal(written(GOOD + extra))


@pytest.mark.parametrize("id_", ["", "正门", "front/+", "front gate", "-a", "a" * 65, "a\\n"])
def test_what_an_id_is_made_of_is_told_in_words(written, id_):
    assert "use up to 64 of A-Z, a-z, 0-9, - and _" in refusal(written(GOOD.replace("north-gate", id_)))


def test_the_number_of_a_usb_camera_needs_no_quotes(written):
    source = '"rtsp://cam:sesame@127.0.0.1/live"'
    assert load_settings(written(GOOD.replace(source, "0"))).camera.source == "0"
    assert "camera.source" in refusal(written(GOOD.replace(source, "true")))
    assert "camera.source" in refusal(written(GOOD.replace(source, "-1")))


@pytest.mark.parametrize("host", ["::1", "localhost", "127.0.0.1"])
def test_a_broker_is_named_or_has_an_address(written, host):
    assert present(load_settings(written(f'{GOOD}[mqtt]\nhost = "{host}"')).mqtt).host == host


def test_a_path_that_is_not_whole_lies_beside_the_settings(written, tmp_path, monkeypatch):
    """The check and the service are started in different folders."""
    text = (
        '[access]\nrules = "rules.toml"\n[storage]\ndirectory = "/var/lib/facegate"\n[mqtt]\nhost = "::1"\n'
    )
    path = written(GOOD + text + 'ca_file = "../ca.crt"')
    monkeypatch.chdir(tmp_path)
    for named in (path, path.relative_to(tmp_path)):
        settings = load_settings(named)
        assert settings.access.rules == tmp_path / "rules.toml"
        assert present(settings.mqtt).ca_file == tmp_path / "../ca.crt"
        assert str(settings.storage.directory) == "/var/lib/facegate"
        assert str(settings.lock.guard_socket) == "/run/facegate/relay.sock"


def test_the_wiring_of_a_real_relay_has_no_default(written):
    text = refusal(written(GOOD.replace("active_high = true\n", "")))

    assert "active_high" in text
    assert "docs/install.md" in text


def test_a_missing_file_and_broken_toml_are_clear(tmp_path, written):
    assert "no such file" in refusal(tmp_path / "nowhere.toml")
    assert "not valid TOML" in refusal(written("[door"))


def test_secrets_are_masked(written):
    shown = describe(load_settings(written(GOOD + '[mqtt]\nhost = "localhost"\npassword = "geheim"\n')))

    assert "geheim" not in shown
    assert "sesame" not in shown
    assert 'source = "rtsp://cam:********@127.0.0.1/live"' in shown


@pytest.mark.parametrize(
    "source",
    [
        "rtsp：//cam:sesame@10.0.0.8/x",
        "cam:sesame@10.0.0.8",
        "rtsp://cam：sesame@10.0.0.8/x",
        "rtsp:/cam:sesame@h",
    ],
)
def test_a_mistyped_address_is_printed_without_its_password(written, source):
    shown = describe(load_settings(written(GOOD.replace("rtsp://cam:sesame@127.0.0.1/live", source))))

    assert "sesame" not in shown
    assert "********" in shown


def test_blanks_around_a_camera_s_address_do_not_count(written):
    settings = load_settings(written(GOOD.replace("rtsp://cam:", " rtsp://cam:").replace("/live", "/live ")))

    assert settings.camera.source == "rtsp://cam:sesame@127.0.0.1/live"


def test_a_sign_that_nobody_sees_is_told_by_its_number(written):
    assert 'door.id = "north-gate\\u200B"' in refusal(written(GOOD.replace("north-gate", "north-gate\u200b")))


def test_a_number_in_place_of_text_is_told_to_stand_in_quotes(written):
    text = refusal(written(GOOD.replace('"north-gate"', "1203")))

    assert "door.id = 1203: this is no text; write it in quotes" in text


def test_what_is_printed_can_be_loaded_again(written):
    settings = load_settings(written(GOOD.replace("cam:sesame@", "")))

    again = load_settings(written(describe(settings)))

    assert again == settings


@given(st.text(max_size=300))
def test_no_text_gets_through_as_anything_but_settings_or_a_clear_error(tmp_path_factory, text):
    path = tmp_path_factory.mktemp("fuzz") / "config.toml"
    path.write_text(text, encoding="utf-8", errors="replace")

    with pytest.raises(ConfigError):
        load_settings(path)


@pytest.mark.parametrize(
    ("more", "ack"),
    [
        ("", "broker"),
        ('trusted_keys = "keys.json"', "application"),
        ('trusted_keys = "keys.json"\nack = "broker"', "broker"),
    ],
)
def test_with_the_property_s_keys_its_word_counts_unless_said_otherwise(written, more, ack):
    mqtt = load_settings(written(f'{GOOD}[mqtt]\nhost = "localhost"\n{more}\n')).mqtt

    assert mqtt is not None
    assert mqtt.ack == ack


@pytest.mark.parametrize("zone", ["Asia/Shangai", "", "../etc/passwd", "/etc/localtime"])
def test_a_time_zone_that_does_not_exist_is_refused_at_the_start(written, zone):
    text = refusal(written(GOOD.replace("[door]", f'[door]\ntimezone = "{zone}"')))
    assert f'door.timezone = "{zone}": no such zone' in text


PINS = """
[sensors.contact]
pin = {contact}
contact = "nc"
[held]
chime_pin = {chime}
[access]
wiegand = {{d0 = {d0}, d1 = {d1}}}
"""
OWN_PINS = {"contact": 22, "chime": 27, "d0": 5, "d1": 6}


def test_every_pin_has_one_use(written):
    settings = load_settings(written(GOOD + PINS.format(**OWN_PINS)))
    assert settings.access.wiegand is not None
    assert settings.access.wiegand.bits == (26, 34, 37)


KEYS = {
    "contact": "sensors.contact.pin",
    "chime": "held.chime_pin",
    "d0": "access.wiegand.d0",
    "d1": "access.wiegand.d1",
}


@pytest.mark.parametrize("first", ["lock", *KEYS])
@pytest.mark.parametrize("second", KEYS)
def test_a_pin_used_twice_is_refused_and_both_keys_are_named(written, first, second):
    if first == second:
        return
    pin = {"lock": 17, **OWN_PINS}[first]
    text = refusal(written(GOOD + PINS.format(**OWN_PINS | {second: pin})))
    named = {KEYS.get(first, "lock.pin"), KEYS[second]}
    assert all(key in text for key in named)
    assert f"both are GPIO{pin}; give each its own pin" in text


@pytest.mark.parametrize("sensor", ["contact", "rex", "tamper", "fire", "bell"])
def test_no_input_may_sit_on_the_relay_s_pin(written, sensor):
    text = refusal(written(GOOD + f'[sensors.{sensor}]\npin = 17\ncontact = "no"\n'))
    assert f"lock.pin and sensors.{sensor}.pin: both are GPIO17" in text


def test_card_lengths_that_nobody_checks_are_refused(written):
    text = refusal(written(GOOD + "[access]\nwiegand = {d0 = 5, d1 = 6, bits = [35]}\n"))
    assert "access.wiegand.bits.0 = 35" in text


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32"])
def test_text_of_wide_signs_is_named_with_or_without_its_mark(tmp_path, encoding):
    path = tmp_path / "config.toml"
    path.write_bytes(GOOD.lstrip().encode(encoding))
    assert "this is UTF-16 text; save it as UTF-8" in refusal(path)


def test_a_file_that_was_not_saved_whole_is_named(tmp_path):
    path = tmp_path / "config.toml"
    path.write_bytes(GOOD.encode() + bytes(512))
    assert "not saved whole" in refusal(path)


def test_byte_order_marks_are_skipped_however_many(written):
    assert load_settings(written("\ufeff\ufeff" + GOOD)).door.id == "north-gate"


@pytest.mark.parametrize("sign", ["“", "＝", "\u3000", "\xa0", "【", "，", "１", "\u200b"])
def test_a_sign_that_only_looks_like_one_of_toml_is_named_with_its_line(written, sign):
    text = refusal(written(GOOD + f"# “comments” may hold them\ndebounce{sign}seconds = 1\n"))
    assert f"U+{ord(sign):04X}" in text
    assert f"line {GOOD.count(chr(10)) + 2} has" in text


def test_signs_within_quotes_are_nobody_s_mistake(written):
    assert "U+" not in refusal(written(GOOD + '[site]\noperator = "物业：“东门”"\nbroken\n'))
