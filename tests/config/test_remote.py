"""What the property may change from afar: only some settings, never to less than the installer wrote."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.config.remote import REMOTE, remote_values, with_remote
from edge.config.settings import Settings
from edge.errors import ConfigError

FILE = Settings.model_validate(
    {
        "door": {"id": "north"},
        "camera": {"source": "0"},
        "lock": {"driver": "dry-run", "unlock_seconds": 5, "extended_unlock_seconds": 12},
        "recognition": {"fpir": 1e-3, "liveness": "passive"},
        "journal": {"keep_days": 60},
        "mqtt": {"host": "localhost", "password": "secret"},
        "panel": {"enabled": True},
    }
)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("recognition.fpir", 1e-4),
        ("recognition.liveness", "strict"),
        ("lock.unlock_seconds", 3),
        ("lock.unlock_seconds", 12),
        ("lock.extended_unlock_seconds", 30),
        ("held.alarm_seconds", 20),
        ("journal.keep_days", 7),
    ],
)
def test_stricter_is_taken(key, value):
    wanted = with_remote(FILE, {key: value})
    assert remote_values(wanted) == remote_values(FILE) | {key: value}


@pytest.mark.parametrize(
    ("key", "value", "why"),
    [
        ("recognition.fpir", 2e-3, "at most the installer's 0.001"),
        ("recognition.liveness", "off", "not under the installer's passive"),
        ("recognition.liveness", "none", "liveness"),
        ("lock.unlock_seconds", 2, "3 to 12 at this door"),
        ("lock.unlock_seconds", 13, "3 to 12 at this door"),
        ("lock.extended_unlock_seconds", 31, "3 to 30|max_unlock_seconds"),
        ("held.alarm_seconds", 31, "at most the installer's 30"),
        ("held.snooze_seconds", 901, "at most the installer's 900"),
        ("journal.keep_days", 6, "7 to 60"),
        ("journal.keep_days", 61, "7 to 60"),
        ("held.quiet_from", "22:00", "give both or neither"),
        ("lock.pin", 17, "cannot be changed from afar"),
        ("lock.lock_wiring", "fail-safe", "cannot be changed from afar"),
        ("door.id", "other", "cannot be changed from afar"),
        ("access.rules", "/tmp/rules.toml", "cannot be changed from afar"),
        ("mqtt.host", "evil.example", "cannot be changed from afar"),
        ("nonsense.key", 1, "cannot be changed from afar"),
    ],
)
def test_what_would_weaken_the_door_or_rewire_it_is_refused(key, value, why):
    with pytest.raises(ConfigError, match=why):
        with_remote(FILE, {key: value})


def test_every_mistake_is_named_and_nothing_else_counts():
    with pytest.raises(ConfigError) as refusal:
        with_remote(FILE, {"recognition.fpir": 0.04, "journal.keep_days": 90, "held.alarm_seconds": 10})
    assert len(str(refusal.value).splitlines()) == 2


def test_a_rate_means_nothing_beside_a_bare_similarity():
    tree = FILE.model_dump() | {"recognition": {"similarity": 0.5}}
    with pytest.raises(ConfigError, match=r"recognition\.similarity"):
        with_remote(Settings.model_validate(tree), {"recognition.fpir": 1e-4})


def test_quiet_hours_come_in_pairs():
    wanted = with_remote(FILE, {"held.quiet_from": "22:00", "held.quiet_to": "07:00"})
    assert (wanted.held.quiet_from, wanted.held.quiet_to) == ("22:00", "07:00")


PLAIN = st.one_of(st.text(max_size=10), st.integers(), st.floats(allow_nan=True, allow_infinity=True))
KEYS = st.one_of(st.sampled_from(sorted(REMOTE)), st.text(max_size=20))


@given(st.dictionaries(KEYS, PLAIN, max_size=4))
def test_whatever_comes_the_door_never_gets_weaker(values):
    """Either refused with a `ConfigError`, or at least as strict as the file."""
    try:
        wanted = with_remote(FILE, values)
    except ConfigError:
        return
    assert wanted.recognition.fpir <= FILE.recognition.fpir
    assert wanted.recognition.liveness in {"passive", "strict"}
    assert 3 <= wanted.lock.unlock_seconds <= 12
    assert wanted.held.alarm_seconds <= FILE.held.alarm_seconds
    assert wanted.journal.keep_days <= FILE.journal.keep_days
    for section in ("door", "camera", "sensors", "access", "mqtt"):
        assert getattr(wanted, section) == getattr(FILE, section)


def test_nobody_is_asked_to_turn_the_head_where_no_display_shows_it():
    blind = FILE.model_copy(update={"panel": FILE.panel.model_copy(update={"enabled": False})})

    with pytest.raises(ConfigError, match=r"write \[panel\] enabled = true and open /screen"):
        with_remote(blind, {"recognition.liveness": "strict"})
