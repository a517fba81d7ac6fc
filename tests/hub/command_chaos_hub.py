"""The hub's commands and events, to be killed, without TLS. Arguments: folder, port."""

import sys
import time
from pathlib import Path

from edge.broker.client import SyncClient
from edge.broker.settings import BrokerSettings
from facegate_hub.commands import Commander
from facegate_hub.ingest import Ingest
from facegate_hub.signer.client import SignerClient, SocketLine
from facegate_hub.tables import open_tables
from tests.fakes.proofs import notary
from tests.sync.doors import Eager

folder = Path(sys.argv[1])
engine = open_tables(f"sqlite:///{folder / 'hub.db'}")
signer = SignerClient(SocketLine(folder / "signer.sock"))
parts = [Ingest(engine, notary=notary("hub")), Commander(engine, signer)]
client = SyncClient(BrokerSettings("127.0.0.1", "hub", int(sys.argv[2])), parts, rng=Eager())
for part in parts:
    part.start()
client.start()
while not client.status().connected:
    time.sleep(0.05)
(folder / "hub.up").touch()
while True:
    time.sleep(1)
