"""A hub's event part without TLS, to be measured and killed.

Arguments: database file or URL, port, and the number of a worker (0: the only hub, no `$share`).
"""

import sys
import threading

from edge.broker.client import SyncClient
from edge.broker.settings import BrokerSettings
from facegate_hub.ingest import Ingest
from facegate_hub.tables import open_tables
from tests.fakes.proofs import notary
from tests.sync.doors import Eager

SHARE = "group-of-this-trial"


def serve(url, port, number):
    """Serve until killed."""
    name = f"hub.{number}" if number else "hub"
    engine = open_tables(url if "://" in url else f"sqlite:///{url}")
    ingest = Ingest(engine, SHARE if number else None, notary=notary(name))
    client = SyncClient(BrokerSettings("127.0.0.1", name, port), [ingest], rng=Eager())
    ingest.start()
    client.start()
    threading.Event().wait()


if __name__ == "__main__":
    serve(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
