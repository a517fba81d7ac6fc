"""Every error facegate raises on purpose: one line each, each also a builtin.

A message names the thing, the value, the rule and the way out.
"""

from __future__ import annotations

import difflib
import errno
import re
import unicodedata
from typing import TYPE_CHECKING, Any

from edge.words import Message, has

if TYPE_CHECKING:
    from collections.abc import Iterable

_QUOTED = re.compile(r"\"[^\"]*\"|'[^']*'")


PASSING = frozenset(
    {
        *(errno.EIO, errno.EROFS, errno.ENOSPC, errno.EDQUOT, errno.ESTALE, errno.EREMOTEIO, errno.ENOMEDIUM),
        # What ext4 says of a block whose sum is wrong, and of one that makes no sense.
        *(errno.EBADMSG, errno.EUCLEAN),
        *(errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.EAGAIN, errno.EBUSY, errno.ETIMEDOUT),
    }
)
"""What a card or a machine in trouble answers: nobody wrote anything wrong, and the next try may go well."""


def may_pass(error: BaseException | None) -> bool:
    """Return whether trouble that may pass is behind an error, rather than what somebody wrote."""
    while error is not None:
        if isinstance(error, OSError) and error.errno in PASSING:
            return True
        error = error.__cause__
    return False


def did_you_mean(word: str, known: Iterable[str], cutoff: float = 0.6) -> str:
    """Return the end of an error about an unknown `word`: the nearest known one, or all of them.

    `cutoff` is how alike they must be, from 0 to 1 (difflib's ratio).
    """
    names = list(known)
    near = difflib.get_close_matches(word, names, n=1, cutoff=cutoff)
    return f"; did you mean {near[0]}?" if near else f"; known here: {', '.join(names) or 'none'}"


class FacegateError(Exception):
    """Anything facegate refuses or fails at, on purpose.

    What a person at the panel or the display may meet is raised with a `Message`, an id and values.
    Everything else is raised with technical English, for logs and commands.
    """

    @property
    def message(self) -> Message:
        """What to tell a person, in any language: as it was raised, else what kind of thing failed."""
        if self.args and isinstance(self.args[0], Message):
            return self.args[0]
        kinds = (f"error.{kind.__name__}" for kind in type(self).__mro__)
        return Message(next(filter(has, kinds)))

    def recorded(self, name: str) -> dict[str, Any]:
        """Return the fields of an event for this error: its English as `name`, and coded if it can be."""
        return {name: str(self)} if self.technical else self.message.recorded(name)

    @property
    def technical(self) -> str:
        """The English that `message` does not tell, for the installer; empty when there is none."""
        return "" if self.args and isinstance(self.args[0], Message) else str(self)


class ConfigError(FacegateError, ValueError):
    """The configuration breaks a rule; the message lists every mistake."""


class ModelMissing(FacegateError, FileNotFoundError):
    """A model file is not installed; nothing can be matched."""


class ModelCorrupt(FacegateError, ValueError):
    """A model file is not the one the manifest names; nothing can be matched."""


class ModelMismatch(FacegateError, ValueError):
    """Embeddings of two different models were about to meet."""


class InstallError(FacegateError, RuntimeError):
    """A model could not be fetched, checked or prepared."""


class CameraLost(FacegateError, OSError):
    """The camera failed, stalled or could not be opened."""


class ReaderLost(FacegateError, OSError):
    """A keypad or card reader was unplugged or cannot be opened; the other ways in still work."""


class FrameRefused(FacegateError, ValueError):
    """A frame is stale, empty or not a picture."""


class TemplateRefused(FacegateError, ValueError):
    """A template is not fit for the gallery; the gallery is unchanged."""


class ProbeRefused(FacegateError, ValueError):
    """A probe is not a finite unit embedding of the gallery's dimension; nothing is compared."""


class EnrolmentRefused(FacegateError, ValueError):
    """A picture or a person cannot be enrolled; nothing was stored."""


class IdentityRefused(FacegateError, ValueError):
    """An id, a name or an access level cannot be one."""


class ConsentRefused(FacegateError, ValueError):
    """A consent breaks a rule (no guardian, unknown notice); nothing was recorded."""


class PanelRefused(FacegateError, ValueError):
    """The panel refuses what was asked for; the message is shown to the person who asked."""


class CommunityRefused(FacegateError, ValueError):
    """A step that is not theirs, not now, or lacks something; nothing was changed."""


class JournalUnavailable(FacegateError, OSError):
    """An event could not be stored durably."""


class JournalTampered(FacegateError, ValueError):
    """The journal's hash chain does not hold; the message names the first bad entry."""


class StoreError(FacegateError, RuntimeError):
    """The resident store is missing, damaged or of another version."""


class StoreUnavailable(StoreError):
    """The card does not let the file be read or written just now; try again."""


class KeyUnavailable(StoreError):
    """The key that opens faces cannot be had just now; PIN, card and pass go on."""


class StoreDamaged(StoreError):
    """The bytes of a store are not a database any more; it can be moved away and begun anew."""


class RosterDrift(FacegateError, ValueError):
    """A change would not lead to the roster that was announced; nothing was changed."""


class LockError(FacegateError, OSError):
    """The relay line cannot be claimed or driven; the door stays at rest."""


class SyncError(FacegateError, ConnectionError):
    """The broker refused us or sent an invalid message; the text says which and what to do."""


class AddressTaken(FacegateError, OSError):
    """Nothing can be served at an address: its port is in use, or it is not one of this machine."""


class EvaluationRefused(FacegateError, ValueError):
    """Evaluation material is missing or not laid out as needed; nothing was measured."""


def odd_sign_in(text: str) -> str:
    """Return where `text` has a sign outside of its quotes that only looks like one of TOML, or "".

    Chinese keyboards and word processors write “ ＝ 【 １ and wide or unbreakable blanks.
    """
    for number, line in enumerate(text.splitlines(), 1):
        code = _QUOTED.sub("", line).partition("#")[0]
        odd = next(filter(_is_odd, code), None)
        if odd is not None:
            named = f"{odd!r} (U+{ord(odd):04X})"
            return f"; line {number} has {named}: write the plain sign, as on an English keyboard"
    return ""


def _is_odd(sign: str) -> bool:
    return not sign.isascii() and (not sign.isalnum() or unicodedata.normalize("NFKC", sign).isascii())
