"""From a TOML file to `Settings`, or one message that lists every mistake."""

from __future__ import annotations

import tomllib
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, SecretStr, ValidationError

from edge import kept_files
from edge.addresses import MASK, masked
from edge.config.settings import Settings
from edge.errors import ConfigError, did_you_mean, odd_sign_in
from edge.extras import placed

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

BYTE_ORDER_MARK = "\ufeff"


def load_settings(path: Path) -> Settings:
    """Return the settings in `path`; files and folders that it names without a / in front lie beside it.

    Raises `ConfigError` that names the file and, for every mistake, the key, the value, the rule
    and for an unknown key the nearest known one.
    """
    try:
        text = read_text(path)
        tree = tomllib.loads(text)
    except FileNotFoundError as error:
        raise ConfigError(
            f"{path}: no such file; see {placed('systemd/config.toml')} for an example"
        ) from error
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error}") from error
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{path}: not valid TOML: {error}{odd_sign_in(text)}") from error
    try:
        return Settings.model_validate(tree, context={"folder": path.absolute().parent})
    except ValidationError as error:
        mistakes = mistakes_of(error)
        raise ConfigError(f"{path}: {_count(mistakes)}\n" + "\n".join(f"  {m}" for m in mistakes)) from error


def read_text(path: Path) -> str:
    """Return what somebody wrote as text; byte order marks, which Notepad writes, are skipped.

    A service goes by what it read before where the card does not give the file (`edge.kept_files`).

    Raises `ConfigError` for another encoding than UTF-8, and `OSError`.
    """
    data = kept_files.read(path)
    # Also without its mark: in UTF-16 every plain letter has a zero byte beside it.
    if data.startswith((b"\xff\xfe", b"\xfe\xff")) or b"\0" in data[:4]:
        raise ConfigError(f"{path}: this is UTF-16 text; save it as UTF-8")
    if b"\0" in data:
        raise ConfigError(f"{path}: this is no text, or was not saved whole: it holds zero bytes")
    try:
        return data.decode("utf-8").lstrip(BYTE_ORDER_MARK)
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise ConfigError(f"{path}: line {line} is not UTF-8 text; save it as UTF-8") from error


def mistakes_of(error: ValidationError) -> list[str]:
    """Return one line for every mistake: key, value, rule, and the nearest known key."""
    return [_mistake(detail) for detail in error.errors()]


def describe(settings: Settings) -> str:
    """Return the effective settings as TOML-like text, secrets masked."""
    lines: list[str] = []
    for name, section in settings:
        if section is None:
            lines += [f"# [{name}] not configured", ""]
            continue
        lines += _table(name, section)
    return "\n".join(lines)


def _table(name: str, section: BaseModel) -> list[str]:
    inner = [(key, value) for key, value in section if isinstance(value, BaseModel)]
    lines = [f"[{name}]", *_lines(section), ""]
    for key, value in inner:
        lines += _table(f"{name}.{key}", value)
    return lines


def _lines(section: BaseModel) -> list[str]:
    shown = []
    for key, value in section:
        if value is None:
            shown.append(f"# {key} is not set")
        elif not isinstance(value, BaseModel):
            shown.append(f"{key} = {_toml(_masked(value))}")
    return shown


def _masked(value: Any) -> Any:
    """Return `value` without what must not be printed: secrets, and passwords inside URLs."""
    if isinstance(value, SecretStr):
        return MASK
    # rtsp://user:password@camera: the password is part of the address.
    if isinstance(value, str):
        return masked(value)
    if isinstance(value, dict):
        return {key: MASK if _is_secret(key) else _masked(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [_masked(part) for part in value]
    return value


def _is_secret(key: object) -> bool:
    return isinstance(key, str) and any(word in key.lower() for word in ("password", "secret", "token"))


def _toml(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int | float):
        return repr(value)
    if isinstance(value, tuple | list):
        return "[" + ", ".join(_toml(item) for item in value) + "]"
    return '"' + "".join(map(_seen, str(value))) + '"'


def _seen(sign: str) -> str:
    """Return a sign of a text as TOML has it; one that nobody sees by its number."""
    if sign in '"\\':
        return f"\\{sign}"
    if sign.isprintable():
        return sign
    return f"\\U{ord(sign):08X}" if ord(sign) > 0xFFFF else f"\\u{ord(sign):04X}"


def _mistake(detail: Any) -> str:
    where = [str(part) for part in detail["loc"]]
    key = ".".join(where) or "file"
    kind, message = detail["type"], str(detail["msg"]).removeprefix("Value error, ")
    if kind == "extra_forbidden":
        return f"{key}: unknown{_suggestion(where)}"
    if kind == "missing":
        return f"{key}: missing; {_purpose(where)}"
    # Rules of our own begin with the setting that they are about.
    if kind == "value_error":
        return f"{key}.{message}" if where else message
    shown = MASK if any(_is_secret(part) for part in where) else _toml(_masked(detail["input"]))
    if kind == "string_type" and not isinstance(detail["input"], dict | list):
        return f"{key} = {shown}: this is no text; write it in quotes"
    return f"{key} = {shown}: {message[0].lower()}{message[1:]}"


def _section(where: Iterable[str]) -> type[BaseModel] | None:
    """Return the model that holds the last part of `where`."""
    model: type[BaseModel] = Settings
    for part in where:
        field = model.model_fields.get(part)
        if field is None:
            return model
        # A section that may be missing is a union with None: the section is one of its parts.
        found = [t for t in (field.annotation, *getattr(field.annotation, "__args__", ())) if _is_section(t)]
        if not found:
            return model
        model = found[0]
    return model


def _is_section(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, BaseModel)


def _suggestion(where: list[str]) -> str:
    model = _section(where[:-1])
    known = list(model.model_fields) if model else []
    return did_you_mean(where[-1], known, cutoff=0.5)


def _purpose(where: list[str]) -> str:
    model = _section(where[:-1])
    field = model.model_fields.get(where[-1]) if model else None
    if field is not None and field.description:
        return field.description
    return f"a table [{'.'.join(where)}] is needed"


def _count(mistakes: list[str]) -> str:
    return "1 mistake:" if len(mistakes) == 1 else f"{len(mistakes)} mistakes:"
