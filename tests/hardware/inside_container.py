"""The kill trials with a real systemd around the guard; run by `boot_trial` inside its container."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from tests.hardware.kill_trials import Range, judge
from tests.relay.relay_lines import Lines

if TYPE_CHECKING:
    import signal

UNIT = "facegate-relay.service"


def ask(key: str) -> str:
    done = subprocess.run(
        ["systemctl", "show", "--value", "--property", key, UNIT], capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


class RealSystemd:
    """The systemd that booted this container."""

    @property
    def is_ready(self) -> bool:
        return ask("ActiveState") == "active"

    @property
    def starts(self) -> int:
        return 1 + int(ask("NRestarts"))

    def strike_guard(self, blow: signal.Signals) -> None:
        subprocess.run(["systemctl", "kill", "--kill-whom=main", f"--signal={blow.name}", UNIT], check=True)


def main() -> None:
    directory = Path(sys.argv[1])
    lines = Lines(directory, active_high=False)
    # setpriv replaces itself: a blow to the caller is a blow to the caller.
    as_facegate = ("setpriv", "--reuid=facegate", "--regid=facegate", "--init-groups", "--")
    socket = Path("/run/facegate/relay.sock")
    field = Range(directory, lines, socket, RealSystemd(), int(sys.argv[3]), as_facegate)
    try:
        sys.exit(judge(field, int(sys.argv[2])))
    finally:
        field.close()


if __name__ == "__main__":
    main()
