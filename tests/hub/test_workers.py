"""Several hubs at once: divided events, killed workers, and a hub that keeps its workers alive."""

import os
import random
import signal
import subprocess
import sys
from contextlib import closing
from functools import partial

import pytest
import sqlalchemy as sa

from edge.broker.session import concerns
from edge.broker.settings import BrokerSettings, Tls
from edge.errors import ConfigError
from edge.site.provision import Site
from edge.wire.names import is_hub
from facegate_hub.crew import Crew
from facegate_hub.database_urls import database_url
from facegate_hub.service import EventWorker, broker_settings
from facegate_hub.tables import DEVICES, EVENTS, open_tables
from tests.hub.load import ROOT
from tests.hub.worker_chaos import chaos
from tests.loopback import free_port
from tests.sync.broker import Broker
from tests.sync.doors import Door
from tests.waiting import PATIENCE, wait_until


@pytest.mark.broker
@pytest.mark.slow
@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_killed_workers_lose_nothing_and_store_nothing_twice(kind):
    """Four SIGKILLs among three workers and the broker, while six doors send."""
    seed = random.SystemRandom().randrange(10**6)
    outcome = chaos(kind, kills=4, seed=seed)
    assert (outcome["lost"], outcome["twice"], outcome["foreign"], outcome["doubts"]) == (0, 0, 0, 0), seed
    assert outcome["committed"] == outcome["stored"] > 0


@pytest.fixture
def site(tmp_path):
    site = Site.create(tmp_path / "site", "Hill House", "127.0.0.1", free_port())
    site.add_door("front")
    return site, tmp_path / "site"


def two_workers(hub: int) -> list[int] | None:
    """Return the hub's two workers, None while one of them is missing."""
    found = children(hub)
    return found if len(found) == 2 else None


def has_gone(worker: int, hub: int) -> bool:
    """Return whether this is no child of the hub any more."""
    return worker not in children(hub)


def children(pid, command="worker"):
    """Return the processes that this one started with that command."""
    words = ["ps", "-ww", "--ppid", str(pid), "-o", "pid=,args="]
    listed = subprocess.run(words, capture_output=True, text=True, check=False)  # 1: there are none
    found = [line.split() for line in listed.stdout.splitlines()]
    return [int(pid) for pid, *args in found if command in args]


@pytest.mark.broker
def test_a_provisioned_hub_runs_workers_and_starts_a_killed_one_again(tmp_path, site):
    """`facegate hub run --workers 2` with certificates; events arrive whoever is left."""
    site, folder = site
    for number in (1, 2):
        site.add_worker(number)
    port = broker_settings(folder).port
    words = [sys.executable, "-m", "edge.cli", "hub", "--site", str(folder), "run", "--workers", "2"]
    bundle = folder / "doors" / "front"
    tls = Tls(bundle / "ca.crt", bundle / "door.crt", bundle / "door.key")
    with (
        Broker.of_site(folder, port),
        subprocess.Popen(words, stdout=subprocess.PIPE, text=True, cwd=ROOT) as hub,
        closing(open_tables(database_url(folder)).connect()) as connection,
        Door(tmp_path, port, device="front", tls=tls) as door,
    ):
        try:
            for number in range(2):
                victim = wait_until(partial(two_workers, hub.pid))[number % 2]
                door.happen(20)
                wait_until(lambda: door.outbox.done_upto() == door.outbox.newest())
                os.kill(victim, signal.SIGKILL)
                wait_until(partial(has_gone, victim, hub.pid))
        finally:
            hub.send_signal(signal.SIGTERM)
            hub.wait(PATIENCE)
        assert connection.execute(sa.select(sa.func.count()).select_from(EVENTS)).scalar() == 40
        known = connection.execute(sa.select(DEVICES.c.id)).scalars().all()
        connection.engine.dispose()
    assert hub.returncode == 0
    assert not [name for name in known if is_hub(name)], "workers are no doors"


def test_a_crew_starts_what_ended_and_stops_what_does_not_want_to():
    """Processes of their own; one ignores SIGTERM."""
    ignore = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN)"
    stubborn = f"{ignore}; print(1, flush=True); time.sleep(60)"
    launched: list[tuple[int, subprocess.Popen[bytes]]] = []

    def launch(number):
        words = [sys.executable, "-c", "pass" if number == 1 and len(launched) < 2 else stubborn]
        launched.append((number, subprocess.Popen(words, stdout=subprocess.PIPE)))
        return launched[-1][1]

    crew = Crew(2, launch, look_seconds=0.05, patience_seconds=0.2)
    crew.start()
    wait_until(lambda: len(launched) == 3)
    for _, process in launched[1:]:
        assert process.stdout is not None
        assert process.stdout.read(1) == b"1"
    crew.stop()
    assert [number for number, _ in launched] == [1, 2, 1]
    assert [process.returncode for _, process in launched] == [0, -signal.SIGKILL, -signal.SIGKILL]
    for _, process in launched:
        assert process.stdout is not None
        process.stdout.close()


def test_a_worker_without_a_certificate_says_how_to_make_one(site):
    with pytest.raises(ConfigError, match="facegate provision worker"):
        EventWorker(site[1], "sqlite://", 1)


def test_workers_may_read_events_and_acknowledge_them_and_nothing_else(site):
    """A worker that is broken into opens no door: it cannot even send a forged command."""
    assert site[0].add_worker(7) == "hub.7"
    rules = (site[1] / "broker" / "acl").read_text().partition("user hub.7\n")[2].splitlines()
    assert rules == ["topic read facegate/v1/+/evt", "topic write facegate/v1/+/evt/ack"]


@pytest.mark.parametrize("number", [0, -1, 1000])
def test_a_worker_has_a_number(site, number):
    with pytest.raises(ConfigError, match="use 1 to 999"):
        site[0].add_worker(number)


def test_a_workers_certificate_is_made_once_and_its_name_is_no_doors(site):
    site[0].add_worker(1)
    with pytest.raises(ConfigError, match="already"):
        site[0].add_worker(1)
    with pytest.raises(ConfigError, match="a letter or digit first"):
        site[0].add_door("hub.2")
    site[0].add_door("hub-front")


def test_a_shared_subscription_concerns_what_it_names():
    topic = BrokerSettings("h", "front").topic("evt")
    assert concerns("$share/facegate/facegate/v1/+/evt", topic)
    assert concerns("facegate/v1/+/evt", topic)
    assert not concerns("$share/facegate/facegate/v1/+/evt/ack", topic)
    assert not concerns("$share/x", topic)
