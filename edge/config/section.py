"""What every table of the settings file has in common."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationInfo, field_validator
from pydantic_core import PydanticCustomError


def matching(pattern: str, rule: str) -> AfterValidator:
    """Return what holds a whole text against a pattern; `rule` says in words what it must be."""

    def check(text: str) -> str:
        if re.fullmatch(pattern, text, re.ASCII) is None:
            raise PydanticCustomError("matching", "{rule}", {"rule": rule})
        return text

    return AfterValidator(check)


class Section(BaseModel):
    """A table of the file: unknown keys are mistakes, values never change after loading."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    @field_validator("*", mode="after")
    @classmethod
    def _beside_the_file(cls, value: object, info: ValidationInfo) -> object:
        """Take a path that is not whole from the settings file's folder, wherever a command is started."""
        if not isinstance(value, Path):
            return value
        if value.parts[:1] and value.parts[0].startswith("~"):
            rule = "only a shell knows ~, and the service has another home; write the whole path"
            raise PydanticCustomError("home", "{rule}", {"rule": rule})
        return info.context["folder"] / value if info.context else value


class MetricsSection(Section):
    """Numbers for Prometheus; served only when the table is there."""

    listen: Annotated[
        str,
        matching(r"(\[[0-9a-fA-F:]+\]|[^:\s\[\]]+):[0-9]{1,5}", "write host:port, such as 127.0.0.1:9464"),
    ] = Field(
        "127.0.0.1:9464",
        description="address and port; they name no person, but say when somebody comes",
    )
