"""What a person has proved of a new door: camera, distance, inputs, lock, attacks, entries."""

from __future__ import annotations

import json
import logging
import threading
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from edge.aside import promptly
from edge.durable import write_whole

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

logger = logging.getLogger(__name__)

COMMISSIONING_FILE = "commissioning.json"
"""Its name inside the data folder."""


class CommissioningStep(StrEnum):
    """What is proved, in the order in which an installer does it."""

    CAMERA = "camera"
    DISTANCE = "distance"
    INPUTS = "inputs"
    LOCK = "lock"
    PHOTO = "photo"
    PHONE = "phone"
    WALK_UPS = "walk_ups"


@dataclass(frozen=True, slots=True)
class CommissioningProof:
    """One step, as somebody saw it: `at` is ISO 8601 UTC, `by` an account of the page."""

    went_well: bool
    at: str
    by: str


class CommissioningBook:
    """The steps of one door, kept in a file of its data folder. Any thread.

    A door that is new (`begin_new`) is not opened from afar until somebody saw its lock move as it
    should: a lock wired the wrong way round would be unlocked at rest. A door that was in use before
    this was kept is not asked. A file that cannot be read counts as one of those, with a log line.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        # Whoever asks waits for no card: a write may hang.
        self._lock, self._writing = threading.Lock(), threading.Lock()
        self._proofs: dict[CommissioningStep, CommissioningProof] = {}
        self._is_new = False
        try:
            self._read(json.loads(promptly("commissioning", lambda: path.read_text(encoding="utf-8"))))
        except FileNotFoundError:
            pass
        except (OSError, ValueError, KeyError, TypeError) as error:
            logger.error("%s: what was proved of this door cannot be read: %s", path, error)  # noqa: TRY400

    @property
    def proofs(self) -> Mapping[CommissioningStep, CommissioningProof]:
        """The newest proof of each step that was tried."""
        with self._lock:
            return dict(self._proofs)

    @property
    def waits_for_lock(self) -> bool:
        """True while nobody has seen the lock of this new door move as it should."""
        with self._lock:
            proof = self._proofs.get(CommissioningStep.LOCK)
            return self._is_new and not (proof is not None and proof.went_well)

    def begin_new(self) -> None:
        """Take note that this door has never been in use. Raises `OSError`."""
        with self._writing:
            with self._lock:
                self._is_new = True
            self._write()

    def put(self, step: CommissioningStep, proof: CommissioningProof) -> None:
        """Keep what came of a step, in place of what was kept of it. Raises `OSError`."""
        with self._writing:
            with self._lock:
                self._proofs[step] = proof
            self._write()

    def _read(self, kept: dict[str, Any]) -> None:
        self._is_new = bool(kept["is_new"])
        for name, proof in kept["proofs"].items():
            self._proofs[CommissioningStep(name)] = CommissioningProof(
                bool(proof["went_well"]), str(proof["at"]), str(proof["by"])
            )

    def _write(self) -> None:
        proofs = {step.value: asdict(proof) for step, proof in self.proofs.items()}
        content = json.dumps({"is_new": self._is_new, "proofs": proofs}, indent=1, ensure_ascii=False)
        write_whole(self._path, content.encode())


def proof_now(now: datetime, by: str, *, went_well: bool) -> CommissioningProof:
    """Return what somebody saw just now."""
    return CommissioningProof(went_well, now.astimezone(UTC).isoformat(timespec="seconds"), by)
