"""The signer of the chaos, to be killed. Arguments: folder, and a port that it has no use for."""

import sys
import time
from pathlib import Path

from facegate_hub.signer.desk import SigningDesk
from facegate_hub.signer.server import SignerServer
from facegate_hub.signer.tables import open_memory
from tests.sync.hubside import SIGNER

folder = Path(sys.argv[1])
server = SignerServer(SigningDesk(open_memory(folder), SIGNER), folder / "signer.sock")
server.start()
(folder / "signer.up").touch()
while True:
    time.sleep(1)
