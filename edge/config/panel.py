"""The table `[panel]` of the settings file."""

from __future__ import annotations

from pathlib import Path  # noqa: TC003 - read at run time
from typing import Annotated

from pydantic import Field, model_validator

from edge.config.section import Section, matching


class SiteSection(Section):
    """Who answers for the faces of this door: what its notices, confirmations and signs name."""

    operator: str = Field("", max_length=200, description="who is responsible for the faces, by full name")
    contact: str = Field("", max_length=200, description="how to reach them: telephone or address")
    office: str = Field("", max_length=200, description="where residents withdraw their consent")
    child_rules: str = Field(
        "", max_length=200, description="name or place of the rules for the data of children under 14"
    )
    doors: str = Field("", max_length=200, description="what opens, as the notice calls it")


class PanelSection(Section):
    """The web page of this door, served by the door itself; needs the extra `panel`."""

    enabled: bool = False
    host: str = Field("127.0.0.1", min_length=1, description="address to listen on; 0.0.0.0: the LAN")
    port: int = Field(8443, ge=1, le=65535)
    cert_file: Path | None = Field(None, description="from the site's authority; without: self-signed")
    key_file: Path | None = None
    minors: bool = Field(False, description="enrol people under 14 when a guardian agrees")
    screen: bool = Field(True, description="serve /screen to a display wired to the device")
    residents_page: Annotated[
        str, matching(r"(https://[^\s#?]+[^\s#?/])?", "write https://host, without / at its end, ? and #")
    ] = Field(
        "",
        max_length=200,
        description="where residents reach the property's page; invitations to it are made here; empty: none",
    )
    welcome_by_name: bool = Field(
        False, description="name those on the display who agreed to that as well; false: nobody"
    )

    @model_validator(mode="after")
    def _key_belongs_to_certificate(self) -> PanelSection:
        if (self.cert_file is None) != (self.key_file is None):
            raise ValueError("cert_file and key_file: give both or neither")
        return self

    @property
    def has_screen(self) -> bool:
        """True when there is a display that can ask visitors for something."""
        return self.enabled and self.screen
