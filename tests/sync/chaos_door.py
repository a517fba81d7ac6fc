"""A door to be killed: commits events, notes each committed number, publishes. Arguments: folder, port."""

import random
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

from edge.domain import EventDraft
from tests.sync.doors import Door


def main(folder, port):
    with Door(folder, port) as door, (folder / "told.log").open("a") as told:
        while not (folder / "enough").exists():
            event = door.journal.append(
                EventDraft("access.granted", datetime.now(UTC), time.monotonic(), resident_id="anna", data={})
            )
            told.write(f"{event.seq}\n")
            told.flush()
            time.sleep(random.random() / 50)
        while door.outbox.done_upto() < door.outbox.newest():
            time.sleep(0.05)


main(Path(sys.argv[1]), int(sys.argv[2]))
