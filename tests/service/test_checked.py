"""What `facegate config` says yes to starts; what it lists, it lists at once."""

from __future__ import annotations

import codecs

import pytest
from click.testing import CliRunner

from edge.cli import app
from edge.config import load_settings
from edge.errors import ConfigError
from edge.service.checked import problems, require_startable

GOOD = """
[door]
id = "gate-1"
[camera]
source = "{source}"
[lock]
driver = "dry-run"
{more}
"""


@pytest.fixture
def written(tmp_path):
    def write(more="", source="0"):
        (tmp_path / "c.toml").write_text(GOOD.format(more=more, source=source))
        return tmp_path / "c.toml"

    return write


def test_good_settings_have_no_problem(written):
    assert problems(load_settings(written())) == []


@pytest.mark.parametrize(
    ("more", "source", "named"),
    [
        ("", "http://192.0.2.5:81/stream", "camera.source"),
        ("", "udp://@239.0.0.1:1234", "camera.source"),
        ('[recognition]\nmatcher = "nosuch"', "0", "recognition.matcher"),
        ('[recognition]\nmodel = "nosuch"', "0", "recognition.model"),
        ("[recognition]\nsimilarity = 0.21", "0", "similarity 0.21"),
        ('[access]\nrules = "/nonexistent.toml"', "0", "access.rules"),
        ('[access]\npass_keys = ["abc"]', "0", "access.pass_keys"),
        ('[storage]\ndirectory = "/etc/passwd"', "0", "storage.directory"),
        ('[storage]\ndirectory = "/etc/passwd/facegate"', "0", "storage.directory"),
    ],
)
def test_what_would_stop_the_start_is_found_by_the_check(written, more, source, named):
    file = written(more, source)
    (problem,) = problems(load_settings(file))
    assert named in problem
    done = CliRunner().invoke(app, ["config", "--config", str(file)])
    assert isinstance(done.exception, ConfigError)


def test_everything_is_listed_at_once(written):
    more = '[recognition]\nmatcher = "nosuch"\nmodel = "nosuch"\n[access]\npass_keys = ["abc"]'
    with pytest.raises(ConfigError, match="4 mistakes") as caught:
        require_startable(load_settings(written(more, "http://x/")))
    assert len(str(caught.value).splitlines()) == 5


def test_a_byte_order_mark_is_skipped_in_settings_and_rules(written, tmp_path):
    rules = tmp_path / "rules.toml"
    rules.write_bytes(codecs.BOM_UTF8 + b"[levels.resident]\nschedule = 'always'\n")
    file = written(f'[access]\nrules = "{rules}"')
    file.write_bytes(codecs.BOM_UTF8 + file.read_bytes().replace(b"\n", b"\r\n"))
    assert problems(load_settings(file)) == []


def test_utf_16_is_refused_in_words(written):
    file = written()
    file.write_bytes(file.read_text().encode("utf-16"))
    with pytest.raises(ConfigError, match="save it as UTF-8"):
        load_settings(file)


def test_no_secret_is_printed_wherever_it_was_written(written):
    file = written('[[mqtt]]\nhost = "localhost"\npassword = "Geheim99"\n')
    with pytest.raises(ConfigError) as caught:
        load_settings(file)
    assert "Geheim99" not in str(caught.value)
