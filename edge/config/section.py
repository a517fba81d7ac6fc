"""What every table of the settings file has in common."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field


class Section(BaseModel):
    """A table of the file: unknown keys are mistakes, values never change after loading."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class MetricsSection(Section):
    """Numbers for Prometheus; served only when the table is there."""

    listen: str = Field(
        "127.0.0.1:9464",
        pattern=r"^(\[[0-9a-fA-F:]+\]|[^:\s\[\]]+):[0-9]{1,5}$",
        description="address and port; they name no person, but say when somebody comes",
    )
