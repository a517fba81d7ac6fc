"""Credentials that systemd keeps encrypted on this board, opened by root for a command outside the unit.

The unit is handed them in `$CREDENTIALS_DIRECTORY`. A command that root starts by hand has none, although
root may open them: without this, giving a PIN at a door with a TPM would need a transient unit each time.
They stay in this process's memory, and are opened before it becomes the owner of the door's folder, which
may not open them.
"""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

CREDENTIAL_STORE = Path("/etc/credstore.encrypted")
"""Where systemd looks for what `LoadCredentialEncrypted=` names."""

OPENING_SECONDS = 30
"""A TPM answers within a second; one that hangs must not hang the command."""


@dataclass
class SystemCredentials:
    """The credentials a process was able to open, and why it could not open others. One thread."""

    opened: dict[str, bytes] = field(default_factory=dict)
    troubles: list[str] = field(default_factory=list)

    def open_as_root(self, names: Sequence[str], store: Path = CREDENTIAL_STORE) -> None:
        """Open those of `names` that lie in `store`; what fails is noted. Only root can."""
        if os.geteuid() != 0:
            return
        self.troubles.clear()
        for name in names:
            path = store / name
            if path.exists():
                self._open(name, path)
        if not self.opened and not self.troubles:
            self.troubles.append(f"{store}: holds none of {', '.join(names)}; see docs/keys.md")

    def _open(self, name: str, path: Path) -> None:
        command = ["systemd-creds", "decrypt", f"--name={name}", str(path), "-"]
        try:
            done = subprocess.run(command, capture_output=True, check=True, timeout=OPENING_SECONDS)
        except subprocess.CalledProcessError as error:
            said = error.stderr.decode(errors="replace").strip()
            self.troubles.append(f"{path}: systemd-creds: {said}")
        except (OSError, subprocess.TimeoutExpired) as error:
            self.troubles.append(f"{path}: systemd-creds: {error}")
        else:
            self.opened[name] = done.stdout


OF_THIS_PROCESS = SystemCredentials()
"""What this process opened while it was root. One for the process, as its user is."""
