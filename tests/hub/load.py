"""Many doors, one hub: bursts of events until everything is acknowledged.

As a command: python -m tests.hub.load [--doors 300] [--events 20] [--bursts 1] [--at-once 1]
                                       [--workers 0] [--database sqlite|postgresql|URL] [--idle 0]

Events happen in bursts at all doors at once, each in a message of its own (`--at-once` lets a
door put several into one, as it does after an outage). Doors send as real ones do, with the same
window and patience. The broker is mosquitto with the limits of `facegate provision`; `--idle` adds
doors that are connected and silent. At most 300 doors: paho waits with select(), which ends at
file 1024.
"""

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack, contextmanager
from pathlib import Path

import sqlalchemy as sa

from facegate_hub.database import reading
from facegate_hub.tables import EVENTS, STREAMS, open_tables
from tests.hub import postgres
from tests.hub.crowd import Crowd, idle_connections
from tests.sync.broker import Broker, Listener
from tests.waiting import PATIENCE, wait_until

ROOT = Path(__file__).parents[2]
LIMITS = "max_inflight_messages 100\nmax_queued_messages 100000\nmax_queued_bytes 67108864\n"
"""As in the broker configuration that `facegate provision` writes."""
LONGEST_SECONDS = 120.0


@contextmanager
def database(kind, folder):
    """Yield the URL of a fresh database, or of the one that was given."""
    if kind == "postgresql":
        with postgres.running() as url:
            yield url
    else:
        yield f"sqlite:///{folder}/hub.db" if kind == "sqlite" else kind


@contextmanager
def hubs(url, port, workers):
    """Yield the processes of the only hub, or of several workers, once all are there."""
    numbers = range(1, workers + 1) if workers else [0]
    open_tables(url).dispose()
    words = [sys.executable, "-m", "tests.hub.sink", url, str(port)]
    processes = []
    try:
        with Listener(port, "facegate/v1/+/avail") as listener:
            processes += [subprocess.Popen([*words, str(number)], cwd=ROOT) for number in numbers]
            online = lambda: sum(b"online" in message.payload for message in listener.messages)  # noqa: E731
            wait_until(lambda: online() >= len(processes), "the hubs are there")
        yield processes
    finally:
        for process in processes:
            process.kill()
            process.wait(PATIENCE)


def run(options):
    """Return the figures of one run."""
    with ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory())
        url = stack.enter_context(database(options.database, folder))
        broker = stack.enter_context(Broker(Path(folder) / "broker", LIMITS))
        processes = stack.enter_context(hubs(url, broker.port, options.workers))
        crowd = Crowd(options.doors, broker.port, options.events, options.at_once)
        stack.callback(crowd.close)
        for silent in idle_connections(broker.port, options.idle):
            stack.callback(silent.close)
        cpu = [cpu_seconds(process.pid) for process in processes]
        began, own = time.monotonic(), time.process_time()
        for number in range(options.bursts):
            share = -(-options.events // options.bursts)
            crowd.happen(share)
            upto = min(options.events, share * (number + 1))
            crowd.serve(LONGEST_SECONDS, lambda upto=upto: all(d.outbox.done >= upto for d in crowd.doors))
        seconds, own = time.monotonic() - began, time.process_time() - own
        assert crowd.finished, f"not acknowledged within {LONGEST_SECONDS:g} s"
        check(url, options.doors, options.events)
        latencies = crowd.latencies()
        return {
            "database": url.partition(":")[0],
            "hubs": len(processes),
            "doors": options.doors,
            "events": options.doors * options.events,
            "seconds": round(seconds, 2),
            "per_second": round(options.doors * options.events / seconds),
            "ack_p50_ms": round(1000 * latencies[len(latencies) // 2]),
            "ack_p99_ms": round(1000 * latencies[len(latencies) * 99 // 100]),
            "hub_cpu_seconds": [
                round(cpu_seconds(process.pid) - before, 2)
                for process, before in zip(processes, cpu, strict=True)
            ],
            "broker_cpu_seconds": round(cpu_seconds(broker.process.pid), 2),
            "doors_cpu_seconds": round(own, 2),
            "hub_mb": [resident_mb(process.pid) for process in processes],
            "broker_mb": resident_mb(broker.process.pid),
        }


def check(url, doors, events):
    """Each event must be there once, and each stream without a gap: else the figures are worth nothing."""
    engine = open_tables(url)
    with reading(engine) as connection:
        assert connection.execute(sa.select(sa.func.count()).select_from(EVENTS)).scalar() == doors * events
        query = sa.select(sa.func.count()).where(STREAMS.c.upto == events)
        assert connection.execute(query).scalar() == doors
    engine.dispose()


def resident_mb(pid):
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) // 1024 for line in lines if line.startswith("VmRSS"))


def cpu_seconds(pid):
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / 100


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    for name, default in (
        ("doors", 300),
        ("events", 20),
        ("bursts", 1),
        ("at-once", 1),
        ("workers", 0),
        ("idle", 0),
    ):
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--database", default="sqlite")
    resource.setrlimit(resource.RLIMIT_NOFILE, (20_000, 20_000))
    sys.stdout.write(json.dumps(run(parser.parse_args())) + "\n")


if __name__ == "__main__":
    main()
