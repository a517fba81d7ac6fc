"""The hub's event part to be killed, without TLS. Arguments: database file or URL, port."""

import sys
import time

from edge.sync.client import SyncClient
from edge.sync.settings import BrokerSettings
from hub.ingest import Ingest
from hub.tables import open_tables
from tests.sync.doors import Eager


def main(path, port):
    ingest = Ingest(open_tables(path if "://" in path else f"sqlite:///{path}"))
    client = SyncClient(BrokerSettings("127.0.0.1", "hub", port), [ingest], rng=Eager())
    ingest.start()
    client.start()
    while True:
        time.sleep(1)


main(sys.argv[1], int(sys.argv[2]))
