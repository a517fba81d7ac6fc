"""The hub's events and roster to be killed, without TLS. Arguments: database URL, port."""

import sys
import time

from edge.broker.client import SyncClient
from edge.broker.settings import BrokerSettings
from facegate_hub.ingest import Ingest
from facegate_hub.rollout import RosterServer
from facegate_hub.roster import RosterLog
from facegate_hub.tables import open_tables
from tests.fakes.proofs import notary
from tests.sync.doors import Eager
from tests.sync.hubside import SIGNER


def main(url, port):
    engine = open_tables(url)
    parts = [Ingest(engine, notary=notary("hub")), RosterServer(engine, RosterLog(engine, SIGNER))]
    client = SyncClient(BrokerSettings("127.0.0.1", "hub", port), parts, rng=Eager())
    for part in parts:
        part.start()
    client.start()
    while True:
        time.sleep(1)


main(sys.argv[1], int(sys.argv[2]))
