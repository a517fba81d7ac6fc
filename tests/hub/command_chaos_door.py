"""A door that takes commands, to be killed. Arguments: folder, port.

What it does is noted on disk before it answers: the lock moves whether or not anybody hears of it.
"""

import json
import os
import sys
import time
from pathlib import Path

from edge.broker.settings import BrokerSettings
from edge.runtime.clock import SystemClock
from edge.service.chores.past import commands_ended
from edge.store.ledger import SqliteLedger
from edge.sync.desk import CommandDesk
from edge.sync.gate import CommandGate
from edge.wire.commands import CommandOutcome
from tests.fakes.proofs import notary
from tests.sync.doors import Door
from tests.sync.hubside import KEYS


def main(folder, port):
    done, clock = (folder / "done.log").open("a"), SystemClock()

    def execute(command, reply):
        done.write(json.dumps([command.id, command.type, time.time()]) + "\n")
        done.flush()
        os.fsync(done.fileno())
        reply(CommandOutcome("done", f"{command.type} done"))

    def record(draft):
        return door.journal.append(draft)

    gate = CommandGate("door-1", KEYS, SqliteLedger(folder / "commands.db"), clock, lambda: "unknown")
    settings = BrokerSettings("127.0.0.1", "door-1")
    desk = CommandDesk(settings, gate, execute, record, clock, lambda: commands_ended(folder / "journal.db"))
    door = Door(folder, port, others=[desk], notary=notary("door-1"))
    desk.start()
    with door:
        while not door.publisher.status().link.connected:
            time.sleep(0.05)
        (folder / "door.up").touch()
        while True:
            time.sleep(1)


main(Path(sys.argv[1]), int(sys.argv[2]))
