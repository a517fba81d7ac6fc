"""The table `[sharing]`: whether faces from other doors come here, and go from here to them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import Field

from edge.config.section import Section

if TYPE_CHECKING:
    from edge.config.mqtt import Mqtt
    from edge.config.storage import Storage


class SharingSection(Section):
    """Faces that several doors know; the site's authority must list this door, too."""

    enabled: bool = Field(
        False,
        description="true: faces of people who agreed to it go to other doors and come from there, sealed;"
        " default: every face stays in the device that took it",
    )
    key_in_file: bool = Field(
        False,
        description='true: do so although storage.key is "file", so that a stolen card reveals the faces of'
        " all doors; for whoever has weighed that",
    )


def require_guarded(sharing: SharingSection, storage: Storage, mqtt: Mqtt | None) -> None:
    """Raise `ValueError` when shared faces could not travel, or would lie open on a stolen card."""
    if not sharing.enabled:
        return
    if mqtt is None or mqtt.ca_file is None or mqtt.trusted_keys is None:
        raise ValueError("sharing.enabled: needs [mqtt] with ca_file and trusted_keys: the property's roster")
    if storage.key == "file" and not sharing.key_in_file:
        raise ValueError(
            'sharing.enabled: storage.key is "file", so a stolen card would reveal the faces of all doors:'
            ' use "credential" or "site", or write sharing.key_in_file = true if you have weighed that'
        )
