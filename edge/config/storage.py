"""Where residents and journal live, and where the key comes from that opens the faces."""

from __future__ import annotations

from pathlib import Path  # noqa: TC003 - read at run time
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field, model_validator

from edge.config.section import Section, matching

if TYPE_CHECKING:
    from edge.config.mqtt import Mqtt


class Storage(Section):
    """Where residents and journal live."""

    directory: Path | None = Field(
        None, description="default: the installed door's ($STATE_DIRECTORY), else the user's data folder"
    )
    key: Literal["file", "credential", "site"] = Field(
        "file",
        description="what opens the faces: file (on the card: obfuscation), credential (systemd, TPM), or"
        " site (asked of the property's key server at each start: without network no faces)",
    )
    key_server: Annotated[str, matching(r"https://[^/\s@]+", "write https://host:port, no path")] | None = (
        Field(None, description="https://host:port of facegate hub keys serve")
    )
    key_cache_hours: float = Field(
        0, ge=0, le=168, description="with site: how long a restart of the service needs no key server"
    )

    @model_validator(mode="after")
    def _server_when_it_is_asked(self) -> Storage:
        if self.key == "site" and self.key_server is None:
            raise ValueError('key_server: needed with key = "site": https://host:port of the key server')
        if self.key != "site" and (self.key_server is not None or self.key_cache_hours):
            raise ValueError('key_server and key_cache_hours: only with key = "site"')
        return self


def require_identity(storage: Storage, mqtt: Mqtt | None) -> None:
    """Raise `ValueError` when the key server would not be shown which door asks."""
    if storage.key == "site" and (mqtt is None or mqtt.ca_file is None or mqtt.cert_file is None):
        raise ValueError('storage.key = "site": the key server needs ca_file and cert_file of [mqtt]')
