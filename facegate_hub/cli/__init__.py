"""The property's commands, `facegate hub`; `facegate` finds the table through its entry-point group."""

from __future__ import annotations

COMMANDS: dict[str, tuple[str, str]] = {
    # name: (module:attribute, one line for the overview)
    "hub": ("facegate_hub.cli.group:hub", "Run the property's side: roster, events, commands."),
}
