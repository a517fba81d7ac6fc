"""What a door counts, and that Prometheus can read it: with a real scrape on loopback."""

from __future__ import annotations

import logging
import os
import re
import socket
import subprocess
import sys
import threading
import urllib.request
from contextlib import ExitStack
from datetime import UTC, datetime

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families
from pydantic import ValidationError

from edge.config.section import MetricsSection
from edge.domain import EventDraft, Frame
from edge.errors import JournalUnavailable
from edge.event_log.log import EventLog
from edge.events import Kind
from edge.replay.door import MemoryJournal
from edge.runtime.clock import ManualClock
from edge.runtime.metrics_page import MetricsPage
from edge.runtime.slot import FrameSlot
from edge.service.metrics.collector import DoorCollector
from edge.service.metrics.meter import Histogram, Meter, publish
from tests.places import REPOSITORY
from tests.waiting import PATIENCE, wait_until

AT = datetime(2026, 3, 1, 8, 0, tzinfo=UTC)
STATE = {
    "software": "1.2",
    "model": "sface",
    "gallery": 118,
    "liveness": "weak",
    "camera": "ok",
    "clock": "synced",
    "mode": "normal",
    "door": {"contact": "closed", "lock": "locked", "secured": "secured", "alarms": ["tamper"]},
    "roster": {"epoch": 1, "rev": 42, "digest": "0" * 64, "count": 120, "behind": 3,
               "confirmed": "2026-03-01T08:00:00+00:00"},
    "outbox": {"waiting": 7, "oldest_seconds": 12.5, "problem": "nobody confirms our events"},
    "certificate": {"until": "2036-03-01T00:00:00+00:00"},
}  # fmt: skip


class Journal(MemoryJournal):
    """Keeps drafts; fails while it is told to."""

    fails = False

    def append(self, draft):
        if self.fails:
            raise JournalUnavailable("full")
        return super().append(draft)


def granted(method="face", **data):
    return EventDraft(Kind.ACCESS_GRANTED, AT, 101.0, "anna-kowalska", "granted", {"method": method, **data})


def scrape(port):
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=PATIENCE) as answer:
        text = answer.read().decode()
    samples = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            samples[sample.name, tuple(sorted(sample.labels.items()))] = sample.value
    return text, samples


@pytest.fixture
def clock():
    return ManualClock()


@pytest.fixture
def slot(clock):
    return FrameSlot(clock)


@pytest.fixture
def meter(slot):
    return Meter(slot)


@pytest.fixture
def journal():
    return Journal()


@pytest.fixture
def log(journal, clock, meter):
    made = EventLog(journal, clock, timing=meter.took)
    made.subscribe(meter.heard)
    return made


@pytest.fixture
def page(meter, log):
    page = MetricsPage("127.0.0.1:0", DoorCollector(meter, lambda: STATE, log, lambda: ("keys.db",)))
    yield page
    page.close()


def test_events_and_decisions_are_counted(journal, log, page):
    log.record(granted(first_seen=100.2))
    log.record(granted("card"))
    log.record(EventDraft(Kind.ACCESS_DENIED, AT, 9.0, None, "unknown_credential", {"method": "face"}))
    waited = {"method": "face", "first_seen": 1.0}
    log.record(EventDraft(Kind.ACCESS_DENIED, AT, 9.0, None, "unknown_credential", waited))
    log.record(EventDraft(Kind.ACCESS_DENIED, AT, 90.0, None, "too_far", waited))
    journal.fails = True
    with pytest.raises(JournalUnavailable):
        log.commit(granted())
    _, samples = scrape(page.port)

    def value(name, **labels):
        return samples[name, tuple(sorted(labels.items()))]

    assert value("facegate_events_total", type="access.granted") == 2
    face = {"method": "face", "outcome": "granted", "reason": "granted"}
    assert value("facegate_decisions_total", **face) == 1
    assert value("facegate_decisions_total", **face | {"method": "card"}) == 1
    denied = {"method": "face", "outcome": "denied", "reason": "unknown_credential"}
    assert value("facegate_decisions_total", **denied) == 2
    assert value("facegate_decision_seconds_sum", outcome="granted") == pytest.approx(0.8)
    assert value("facegate_decision_seconds_bucket", outcome="granted", le="0.75") == 0
    assert value("facegate_decision_seconds_bucket", outcome="granted", le="1.0") == 1
    assert value("facegate_decision_seconds_count", outcome="denied") == 1
    assert value("facegate_journal_failures_total") == 1
    assert value("facegate_journal_commit_seconds_count") == 5


def test_somebody_under_threat_is_not_betrayed_by_a_count(log, page):
    """Whoever stands beside the resident may read the metrics."""
    before, _ = scrape(page.port)
    log.record(EventDraft(Kind.ALARM_DURESS, AT, 9.0, "anna"))
    after, _ = scrape(page.port)

    def counts(text):
        lines = [line for line in text.splitlines() if line.startswith("facegate_")]
        return [line for line in lines if not re.search("_age_|_created|_left_", line)]

    assert counts(after) == counts(before)


def test_frames_state_and_queues_are_told(clock, slot, journal, log, page):
    journal.fails = True
    for _ in range(4):
        log.record(granted())
    for number, wait in enumerate((0.0, 0.0, 1.0)):
        slot.put(Frame(np.zeros((1, 1, 3), np.uint8), number, clock.monotonic(), clock.now()))
        if number != 0:
            clock.advance(wait)
            slot.take(0.0)
    _, samples = scrape(page.port)
    flat = {
        name + "".join(f"/{value}" for _, value in labels): found for (name, labels), found in samples.items()
    }
    assert [flat[f"facegate_frames_total/{fate}"] for fate in ("taken", "dropped", "stale")] == [1, 1, 1]
    assert (flat["facegate_camera/ok"], flat["facegate_camera/lost"]) == (1, 0)
    assert (flat["facegate_lock/locked"], flat["facegate_lock/lock_fault"]) == (1, 0)
    assert (flat["facegate_alarm/tamper"], flat["facegate_alarm/door_open_too_long"]) == (1, 0)
    assert flat["facegate_roster_revisions_behind"] == 3
    assert (flat["facegate_outbox_waiting"], flat["facegate_outbox_oldest_seconds"]) == (7, 12.5)
    assert flat["facegate_outbox_problem"] == 1
    assert (flat["facegate_storage_failing/keys.db"], flat["facegate_storage_failing/consents.db"]) == (1, 0)
    assert flat["facegate_events_unsaved"] == 4
    assert flat["process_resident_memory_bytes"] > 1e6


def test_nothing_on_the_page_names_a_person_or_says_what_is_wrong_in_words(log, page):
    log.record(granted(nearest="anna-kowalska", by="Front desk"))
    text, _ = scrape(page.port)
    assert not re.search("anna|kowalska|front desk|nobody confirms", text, re.IGNORECASE)


def test_a_door_without_broker_or_readable_store_still_tells_the_rest(meter, log):
    def broken():
        raise JournalUnavailable("not joined")

    alone = {name: value for name, value in STATE.items() if name not in {"roster", "outbox"}}
    for state, camera in ((lambda: alone, True), (broken, False)):
        page = MetricsPage("127.0.0.1:0", DoorCollector(meter, state, log))
        text, _ = scrape(page.port)
        page.close()
        assert "facegate_frames_total" not in text or "facegate_events_unsaved" in text
        assert ("facegate_camera" in text) == camera
        assert "facegate_outbox" not in text


CONFIG = """
[door]
id = "front"
[camera]
source = "{home}/no-such-clip.mp4"
[lock]
driver = "dry-run"
[storage]
directory = "{home}/data"
[metrics]
listen = "127.0.0.1:{port}"
"""


@pytest.mark.parametrize("is_taken", [False, True])
def test_a_running_door_serves_its_numbers_and_runs_without(tmp_path, is_taken):
    """`facegate run` as a process; with a port that somebody else has, the door is there all the same."""
    with socket.socket() as other, (tmp_path / "log").open("wb") as log:
        other.bind(("127.0.0.1", 0))
        port = other.getsockname()[1]
        if is_taken:
            other.listen()
        else:
            other.close()
        (tmp_path / "config.toml").write_text(CONFIG.format(home=tmp_path, port=port))
        environ = os.environ | {"FACEGATE_MODELS": str(tmp_path / "none")}
        command = [sys.executable, "-m", "edge.cli", "run", "--config", str(tmp_path / "config.toml")]
        process = subprocess.Popen(command, env=environ, stderr=log)
        try:
            found = wait_until(lambda: seen(tmp_path, port, is_taken), tmp_path / "log")
        finally:
            process.terminate()
            assert process.wait(PATIENCE) == 0
    if not is_taken:
        assert found["facegate_events_total", (("type", "service.started"),)] == 1
        assert found["facegate_lock", (("state", "locked"),)] == 1
        assert found["facegate_gallery_residents", ()] == 0


def seen(home, port, is_taken):
    """Return what there is to see once the door runs: samples, or the log line of a taken port."""
    if is_taken:
        return "no metrics are served" in (home / "log").read_text()
    try:
        return scrape(port)[1]
    except OSError:
        return None


def test_a_taken_port_is_a_log_line_and_nothing_else(meter, log, caplog):
    with socket.socket() as taken, ExitStack() as stack:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        section = MetricsSection(listen=f"127.0.0.1:{taken.getsockname()[1]}")
        publish(section, meter, lambda: STATE, log, stack)
        publish(MetricsSection(listen="127.0.0.1:99999"), meter, lambda: STATE, log, stack)
        publish(MetricsSection(listen="no.such.host.invalid:80"), meter, lambda: STATE, log, stack)
    errors = [record for record in caplog.records if record.levelno == logging.ERROR]
    assert len(errors) == 3
    assert all("no metrics are served" in record.getMessage() for record in errors)


def test_it_is_off_by_default_and_then_loads_nothing(meter, log):
    """In a process of its own: the door must not pay for what it does not use."""
    code = "import edge.service.door, sys; print('prometheus_client' in sys.modules)"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "False"
    with ExitStack() as stack:
        publish(None, meter, lambda: STATE, log, stack)


@pytest.mark.parametrize("listen", ["", "9464", "localhost", "a b:1", "host:port", "::1:9464"])
def test_an_address_must_be_one(listen):
    with pytest.raises(ValidationError, match="listen"):
        MetricsSection(listen=listen)


def test_as_many_readers_as_are_served_and_a_writer_at_once(log, page):
    ended = threading.Event()

    def write():
        while not ended.is_set():
            log.record(granted(first_seen=100.5))

    writer = threading.Thread(target=write)
    writer.start()
    readers = [threading.Thread(target=scrape, args=(page.port,)) for _ in range(8)]
    for reader in readers:
        reader.start()
    for reader in readers:
        reader.join(PATIENCE)
    ended.set()
    writer.join(PATIENCE)
    _, samples = scrape(page.port)
    count = samples["facegate_decision_seconds_count", (("outcome", "granted"),)]
    assert count == samples["facegate_events_total", (("type", "access.granted"),)] > 0


@given(st.lists(st.floats(0, 20)))
def test_a_histogram_counts_every_value_once(values):
    histogram = Histogram((0.5, 1.0, 10.0))
    for value in values:
        histogram.observe(value)
    assert histogram.buckets() == [
        ("0.5", sum(v <= 0.5 for v in values)),
        ("1.0", sum(v <= 1 for v in values)),
        ("10.0", sum(v <= 10 for v in values)),
        ("+Inf", len(values)),
    ]


def test_the_document_names_exactly_what_the_door_tells(log, page):
    """Tables and alert rules of docs/metrics.md."""
    log.record(granted(first_seen=100.0))
    text, _ = scrape(page.port)
    told = set(re.findall(r"^# TYPE (facegate_\w+)", text, re.MULTILINE))
    document = (REPOSITORY / "docs" / "metrics.md").read_text()
    named = set(re.findall(r"\bfacegate_(?!hub_)\w+", document))
    plain = {re.sub(r"_(bucket|sum|count)$", "", name) for name in named}
    assert plain == told
