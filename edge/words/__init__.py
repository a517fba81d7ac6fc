"""Every text a person reads, in every language: an id, and one translation per language.

The texts stand in `en.po`, `zh.po` ..., gettext's format, so that any translator's tool opens them;
an id is a `msgid`. A text is made where it is shown: whoever has something to say hands on a
`Message`, an id with values, and the page or the command asks for it in its reader's language.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edge.words.catalogue import Catalogue, read_catalogue

if TYPE_CHECKING:
    from datetime import tzinfo

LANGUAGES = ("en", "zh")
"""To add a language, put its file beside this one and its code here. The first is the default."""

GAP_ID = "id_"
"""What a gap called `id` is called in an event."""


@dataclass(frozen=True, slots=True)
class Message:
    """Something to tell a person: the text's id and what fills its gaps.

    A value may be a `Message` itself, or a sequence of them. As a plain string it reads in English,
    for logs and commands.
    """

    id: str
    values: Mapping[str, Any] = field(default_factory=dict)

    def said(self, language: str = LANGUAGES[0]) -> str:
        """Return the text in `language`."""
        return say(self.id, language, **self.values)

    def __str__(self) -> str:
        return self.said()

    def coded(self) -> dict[str, Any]:
        """Return what an event holds of this text, for `decoded`: its id, and its values beside it."""
        values = {key: one.coded() if isinstance(one, Message) else one for key, one in self.values.items()}
        # A gap may be called `id` as well: it must not take the place of the text's own.
        return {"id": self.id, **{GAP_ID if key == "id" else key: one for key, one in values.items()}}

    def recorded(self, name: str) -> dict[str, Any]:
        """Return the fields of an event for this text: in English as `name`, coded as `<name>_code`."""
        return {name: str(self), f"{name}_code": self.coded()}

    @classmethod
    def decoded(cls, data: object) -> Message | None:
        """Return the text that `coded` wrote; None for anything else, and for one of another version."""
        if not isinstance(data, dict) or not isinstance(data.get("id"), str) or not has(data["id"]):
            return None
        coded = {"id" if key == GAP_ID else key: one for key, one in data.items() if key != "id"}
        values = {key: cls.decoded(one) or one for key, one in coded.items()}
        return cls(data["id"], values) if gaps(data["id"]) <= values.keys() else None


def message(name: str, /, **values: Any) -> Message:
    """Return the text called `name` with its values, to be said later in a reader's language."""
    return Message(name, values)


def say(name: str, language: str = LANGUAGES[0], /, **values: Any) -> str:
    """Return one text in `language` with its gaps filled; `count` also chooses the plural form.

    A language that facegate does not speak is answered in English. Raises `KeyError` for an unknown id.
    """
    text = catalogue(language).text(name, values.get("count"))
    return text.format(**{key: shown(value, language) for key, value in values.items()})


def has(name: str) -> bool:
    """Return whether there is a text of this id."""
    return name in catalogue(LANGUAGES[0]).texts


def gaps(name: str) -> frozenset[str]:
    """Return the names of the values that the text needs."""
    return catalogue(LANGUAGES[0]).gaps(name)


def names(beginning: str) -> tuple[str, ...]:
    """Return the ids that begin so, without the beginning."""
    found = catalogue(LANGUAGES[0]).texts
    return tuple(name.removeprefix(beginning) for name in found if name.startswith(beginning))


def nearest(wish: str) -> str:
    """Return the language of ours that a browser's wish such as `zh-CN,zh;q=0.9` begins with."""
    return next((code for code in LANGUAGES if wish.lower().startswith(code)), LANGUAGES[0])


def zone_name(zone: tzinfo, language: str) -> str:
    """Return a time zone as people call it, such as 北京时间; else its own name."""
    return str(shown(zone_told(zone), language))


def zone_told(zone: tzinfo) -> Message | str:
    """Return a time zone for a sentence of any language: what people call it, else its own name."""
    name = f"zone.{zone}"
    return message(name) if has(name) else str(zone)


def tag(language: str) -> str:
    """Return the language's tag for HTML and speech, such as `zh-CN`."""
    return catalogue(language).tag


def shown(value: object, language: str) -> object:
    """Return a value as it stands in a sentence of `language`: messages said, sequences joined."""
    if isinstance(value, Message):
        return value.said(language)
    if isinstance(value, Sequence) and not isinstance(value, str):
        return say("list.comma", language).join(str(shown(one, language)) for one in value)
    return value


@cache
def catalogue(language: str) -> Catalogue:
    """Return the texts of a language, read from its file when first asked for."""
    code = language if language in LANGUAGES else LANGUAGES[0]
    return read_catalogue(Path(__file__).with_name(f"{code}.po"))
