"""The table `[mqtt]` of the settings file."""

from __future__ import annotations

from pathlib import Path  # noqa: TC003 - read at run time
from typing import Annotated, Any, Literal

from pydantic import Field, SecretStr, model_validator

from edge.config.section import Section, matching


class Mqtt(Section):
    """The broker of the property; the door works without."""

    host: Annotated[
        str,
        matching(
            r"[^\s/@\[\]:]{1,253}|(?=.*:.*:)[0-9a-fA-F:.]{2,45}(?:%\w+)?",
            "write the broker's name or address alone, without mqtt:// and port",
        ),
    ]
    port: int = Field(8883, ge=1, le=65535)
    username: str | None = None
    password: SecretStr | None = Field(None, description="better: password_file")
    password_file: Path | None = None
    ca_file: Path | None = Field(None, description="the site's certificate authority")
    cert_file: Path | None = None
    key_file: Path | None = None
    tls: bool = True
    trusted_keys: Path | None = Field(
        None,
        description="trusted-keys.json of the door's bundle; with it the door follows the property's"
        " roster and obeys its signed commands",
    )
    ack: Literal["broker", "application"] = Field(
        "broker",
        description="when an event counts as delivered: stored by the property (application), or by the"
        " broker; default: application when trusted_keys is set, else broker",
    )
    unsigned_acks: bool = Field(
        False,
        description="true: take the word of a hub that does not sign its acknowledgements, one of an older"
        " version; bring it up to date instead",
    )
    roster_lease_days: float | None = Field(
        None,
        ge=1,
        le=3650,
        description="after so many days without the property's word only those with the access level"
        " standing come in; default: never, a dead network keeps nobody out",
    )
    home_assistant: bool = Field(False, description="true: tell Home Assistant about this door (discovery)")
    home_assistant_prefix: Annotated[
        str, matching(r"[A-Za-z0-9_-]{1,64}", "use up to 64 of A-Z, a-z, 0-9, - and _")
    ] = Field(
        "homeassistant",
        description="what Home Assistant's discovery topics begin with, when it was changed there",
    )

    @model_validator(mode="before")
    @classmethod
    def _whose_word_counts(cls, given: Any) -> Any:
        if isinstance(given, dict) and given.get("trusted_keys") is not None:
            # The default goes first, so that what the file says wins.
            return {"ack": "application"} | given
        return given

    @model_validator(mode="after")
    def _not_anonymous_on_a_network(self) -> Mqtt:
        # A broker on this machine is reached without a network that others share: no TLS needed.
        local = self.host in {"localhost", "127.0.0.1", "::1"}
        if not local and not self.tls:
            raise ValueError("tls: must not be false for a broker on the network")
        if not local and self.username is None and self.cert_file is None:
            raise ValueError("cert_file or username: needed for a broker on the network; never anonymous")
        if (self.cert_file is None) != (self.key_file is None):
            raise ValueError("cert_file and key_file: give both or neither")
        if self.password is not None and self.password_file is not None:
            raise ValueError("password and password_file: give one of them")
        return self
