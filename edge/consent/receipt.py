"""The receipt of a withdrawal: signed by the door, kept by the resident, checked by anybody."""

from __future__ import annotations

import base64
import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from edge.errors import ConsentRefused

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

PREFIX = "FGR1"
"""Version of the receipt's form, and what tells its QR code from a visitor pass."""


@dataclass(frozen=True, slots=True)
class Receipt:
    """What was destroyed. `withdrawn_at` is ISO 8601 UTC, `key` the destroyed key's fingerprint."""

    door: str
    resident_id: str
    withdrawn_at: str
    templates: int
    consents: int
    key: str


def signed(receipt: Receipt, key: Ed25519PrivateKey) -> str:
    """Return the receipt as one line of ASCII: prefix, content and Ed25519 signature, dot-separated."""
    body = json.dumps(asdict(receipt), sort_keys=True, separators=(",", ":")).encode()
    return ".".join((PREFIX, _text(body), _text(key.sign(PREFIX.encode() + body))))


def verified(line: str, key: Ed25519PublicKey) -> Receipt:
    """Return the receipt in `line`. Raises `ConsentRefused` unless this door signed exactly this."""
    from cryptography.exceptions import InvalidSignature  # noqa: PLC0415 - only when one is checked

    try:
        prefix, body_text, signature = line.strip().split(".")
        body = _bytes(body_text)
        key.verify(_bytes(signature), prefix.encode() + body)
        return Receipt(**json.loads(body))
    except (InvalidSignature, ValueError, TypeError) as error:
        raise ConsentRefused("not a receipt that this door signed; compare it with the paper") from error


def line_in(page: str) -> str:
    """Return the signed line of a printed page. Raises `ConsentRefused` when there is none."""
    for line in page.splitlines():
        if line.strip().startswith(f"{PREFIX}."):
            return line.strip()
    raise ConsentRefused(f"no receipt in it: one line has to begin with {PREFIX}.")


def public_text(key: Ed25519PublicKey) -> str:
    """Return a door's public key as text to publish."""
    return _text(key.public_bytes_raw())


def public_key(text: str) -> Ed25519PublicKey:
    """Return the key that `public_text` wrote. Raises `ConsentRefused` for anything else."""
    from cryptography.hazmat.primitives.asymmetric import ed25519  # noqa: PLC0415 - as above

    try:
        return ed25519.Ed25519PublicKey.from_public_bytes(_bytes(text.strip()))
    except ValueError as error:
        raise ConsentRefused("not a door's public key; see facegate consent receipt-key") from error


TEXTS = {
    "en": (
        "RECEIPT OF ERASURE\n\nDoor: {door}\nPerson: {resident_id}\nTime: {withdrawn_at}\n"
        "Templates erased: {templates}\nConsents ended: {consents}\nKey destroyed: {key}\n\n"
        "The key that your face template was encrypted with was destroyed in this device, and the template "
        "with it. Backups made before are encrypted; when one is restored, the record of this withdrawal "
        "erases your face again. Keep this receipt.\n\n{line}\n"
    ),
    "zh": (
        "删除回执\n\n门：{door}\n人员：{resident_id}\n时间：{withdrawn_at}\n"
        "已删除模板：{templates}\n已终止同意：{consents}\n已销毁密钥：{key}\n\n"
        "本设备中加密您人脸模板的密钥及模板均已销毁。此前的备份均已加密；若恢复备份，"
        "本次撤回的记录将再次删除您的人脸。请保存此回执。\n\n{line}\n"
    ),
}


def printed(receipt: Receipt, line: str, language: str = "en") -> str:
    """Return the receipt as a page of text, the signed line below."""
    return TEXTS.get(language, TEXTS["en"]).format(**asdict(receipt), line=line)


def _text(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _bytes(text: str) -> bytes:
    return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
