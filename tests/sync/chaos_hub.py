"""The hub's events and roster to be killed, without TLS. Arguments: database URL, port."""

import sys
import time

from edge.sync.client import SyncClient
from edge.sync.settings import BrokerSettings
from hub.ingest import Ingest
from hub.rollout import RosterServer
from hub.roster import RosterLog
from hub.tables import open_tables
from tests.sync.doors import Eager
from tests.sync.hubside import SIGNER


def main(url, port):
    engine = open_tables(url)
    parts = [Ingest(engine), RosterServer(engine, RosterLog(engine, SIGNER))]
    client = SyncClient(BrokerSettings("127.0.0.1", "hub", port), parts, rng=Eager())
    for part in parts:
        part.start()
    client.start()
    while True:
        time.sleep(1)


main(sys.argv[1], int(sys.argv[2]))
