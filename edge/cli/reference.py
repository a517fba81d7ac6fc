"""`facegate reference`: the tables of events, reasons and settings as Markdown, made from the code."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from edge.words import LANGUAGES, catalogue, names, say

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from edge.events import Kind

INPUTS = ("contact", "rex", "tamper", "fire", "bell")
"""The wired inputs have the same settings: one row tells them all."""


@click.command()
@click.argument("what", type=click.Choice(["events", "reasons", "settings"]))
@click.option(
    "--language",
    "-l",
    type=click.Choice(LANGUAGES),
    default=LANGUAGES[0],
    show_default=True,
    help="Language of the table.",
)
def reference(what: str, language: str) -> None:
    """Print a table of the documentation: every event, every reason or every setting.

    Example: facegate reference events --language zh > docs/zh/events.md
    """
    click.echo(PAGES[what](language), nl=False)


def events_page(language: str) -> str:
    """Return every kind of event: its code, its words, where a page files it, and who is told."""
    from edge.events import EventGroup, Kind

    parts = [_head("events", language)]
    for group in EventGroup:
        heading = say("panel.group_door" if group is EventGroup.DOOR else f"panel.{group}", language)
        rows = [_event_row(kind, language) for kind in Kind if _is_filed(kind, group)]
        columns = [say(f"reference.{name}", language) for name in ("code", "event", "tone", "told", "kept")]
        parts.append(f"## {heading}\n\n{_table(columns, rows)}")
    fields = [(f"`{name}`", say(f"field.{name}", language)) for name in names("field.")]
    columns = [say("reference.field", language), say("reference.meaning", language)]
    parts.append(f"## {say('reference.fields', language)}\n\n{_table(columns, fields)}")
    return "\n".join(parts)


def reasons_page(language: str) -> str:
    """Return every reason of a decision: its code and its sentence."""
    from edge.domain import Reason
    from edge.policy.explain import explain_reason

    rows = [(f"`{reason}`", explain_reason(str(reason), language)) for reason in Reason]
    columns = [say("reference.code", language), say("reference.meaning", language)]
    return f"{_head('reasons', language)}\n{_table(columns, rows)}"


def settings_page(language: str) -> str:
    """Return every setting of a door: its name, type, range, default and what it does."""
    from edge.config.settings import Settings

    columns = [say(f"reference.{name}", language) for name in ("setting", "type", "default", "meaning")]
    parts = [_head("settings", language)]
    sections: dict[str, list[tuple[str, ...]]] = {}
    for path, schema in settings(Settings.model_json_schema()):
        section = path.rpartition(".")[0]
        kind, default = _type(schema, language), _default(schema, language)
        row = (f"`{path}`", kind, default, setting_text(path, schema, language))
        sections.setdefault(section, []).append(row)
    parts += [f"## `[{section}]`\n\n{_table(columns, rows)}" for section, rows in sections.items()]
    return "\n".join(parts)


PAGES: dict[str, Callable[[str], str]] = {
    "events": events_page,
    "reasons": reasons_page,
    "settings": settings_page,
}


def settings(schema: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield (dotted name, its part of the JSON schema) of every setting; wired inputs once."""
    yield from _fields(schema, schema.get("$defs", {}), "")


def setting_text(path: str, schema: dict[str, Any], language: str) -> str:
    """Return what a setting does: the catalogue's `setting.<path>`, in English what the model says."""
    told = catalogue(language).texts.get(f"setting.{path}")
    return told[-1] if told else str(schema.get("description", ""))


def _fields(
    schema: dict[str, Any], models: dict[str, Any], beginning: str
) -> Iterator[tuple[str, dict[str, Any]]]:
    for name, field in schema["properties"].items():
        model = _model_of(field, models)
        if model is None:
            yield f"{beginning}{name}", field
        elif beginning == "sensors." and name in INPUTS:
            if name == INPUTS[0]:
                yield from _fields(model, models, "sensors.<input>.")
        else:
            yield from _fields(model, models, f"{beginning}{name}.")


def _model_of(field: dict[str, Any], models: dict[str, Any]) -> dict[str, Any] | None:
    for part in (field, *field.get("anyOf", ()), *field.get("allOf", ())):
        model = models.get(part.get("$ref", "").rpartition("/")[2])
        if model is not None and "properties" in model:
            return dict(model)
    return None


def _default(schema: dict[str, Any], language: str) -> str:
    if "default" not in schema:
        return say("reference.required", language)
    return f"`{_toml(schema['default'])}`" if schema.get("default") not in (None, "") else "–"


def _type(schema: dict[str, Any], language: str) -> str:
    parts = [part for part in schema.get("anyOf", [schema]) if part.get("type") != "null"]
    return " / ".join(dict.fromkeys(_one_type(part, language) for part in parts))


def _one_type(part: dict[str, Any], language: str) -> str:
    if "enum" in part:
        return " / ".join(f"`{_toml(value)}`" for value in part["enum"])
    if "const" in part:
        return f"`{_toml(part['const'])}`"
    if part.get("type") == "boolean":
        return "`true` / `false`"
    low, high = part.get("minimum", part.get("exclusiveMinimum")), part.get("maximum")
    span = "" if low is None and high is None else f" {_bound(low)}–{_bound(high)}"
    return f"{say('reference.type.' + part.get('type', 'object'), language)}{span}"


def _bound(number: float | None) -> str:
    return "" if number is None else f"{number:g}"


def _toml(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(_toml, value))}]"
    return f'"{value}"' if isinstance(value, str) else str(value)


def _event_row(kind: Kind, language: str) -> tuple[str, ...]:
    from edge.events import KINDS

    facts = KINDS[kind]
    told = [name for name, is_told in (("home", facts.for_home), ("display", facts.for_display)) if is_told]
    told += ["silent"] if facts.is_silent else []
    return (
        f"`{kind}`",
        say(f"event.{kind}", language),
        say(f"reference.tone.{facts.tone}", language),
        say("list.comma", language).join(say(f"reference.told.{name}", language) for name in told) or "–",
        say(f"reference.keep.{facts.keep}", language),
    )


def _is_filed(kind: Kind, group: object) -> bool:
    from edge.events import KINDS

    return KINDS[kind].group is group


def _head(page: str, language: str) -> str:
    command = f"facegate reference {page} --language {language}"
    made = say("reference.made", language, command=command)
    about = say(f"reference.about.{page}", language)
    return f"# {say(f'reference.title.{page}', language)}\n\n<!-- {made} -->\n\n{about}\n"


def _table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [columns, ["---"] * len(columns), *rows]
    return "".join(f"| {' | '.join(cell.replace('|', '/') for cell in line)} |\n" for line in lines)
