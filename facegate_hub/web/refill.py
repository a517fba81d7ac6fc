"""A page with one of its forms filled in as it was sent: what was typed is not lost when it is refused."""

from __future__ import annotations

from dataclasses import dataclass, field
from html import escape
from html.parser import HTMLParser
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    Attributes = list[tuple[str, str | None]]

TYPED = {"text", "search", "date", "datetime-local", "number", "tel", "email", ""}
"""Kinds of fields whose text is put back; passwords and files are not."""
MARK = "again"
"""The id of the form that was refused: the message at the top leads there."""


@dataclass(frozen=True, slots=True)
class SentForm:
    """A form as it was sent and refused: where to, its fields, and the HTML that tells why.

    `at` is the field that it is about, "" for the whole form; `to_form` are the words of the link to it.
    """

    action: str
    fields: Mapping[str, Sequence[str]]
    told: str
    to_form: str
    at: str = ""

    def said(self, name: str) -> str:
        """Return the last value of a field, "" for none."""
        values = self.fields.get(name, ())
        return values[-1] if values else ""


def refilled(page: str, sent: SentForm) -> str | None:
    """Return the page with that form as it was sent and why it was refused; None: it has no such form."""
    # The page is parsed twice: which form was sent is known only after all forms and their hidden fields have
    # been read.
    seen = _Forms(sent.action)
    seen.feed(page)
    place = seen.place_of(sent)
    if place is None:
        return None
    writer = _Refill(sent, place, seen.around[place])
    writer.feed(page)
    return "".join(writer.out)


@dataclass
class _Forms(HTMLParser):
    """Finds the forms that are sent to one address, with what they send when nobody touches them."""

    action: str
    hidden: dict[int, dict[str, str]] = field(default_factory=dict)
    around: dict[int, frozenset[int]] = field(default_factory=dict)
    """By form: which of the page's folded parts lie around it."""

    def __post_init__(self) -> None:
        super().__init__()
        self._forms, self._details, self._open = -1, -1, list[int]()
        self._in: int | None = None

    def handle_starttag(self, tag: str, attrs: Attributes) -> None:
        """Note a form, a hidden field or a folded part."""
        given = dict(attrs)
        if tag == "details":
            self._details += 1
            self._open.append(self._details)
        elif tag == "form":
            self._forms += 1
            is_ours = given.get("method") == "post" and _path(given.get("action") or "") == self.action
            self._in = self._forms if is_ours else None
            if is_ours:
                self.hidden[self._forms] = {}
                self.around[self._forms] = frozenset(self._open)
        elif tag == "input" and self._in is not None and given.get("type") == "hidden":
            self.hidden[self._in][given.get("name") or ""] = given.get("value") or ""

    def handle_endtag(self, tag: str) -> None:
        """Note that a form or a folded part ends."""
        if tag == "details" and self._open:
            self._open.pop()
        elif tag == "form":
            self._in = None

    def place_of(self, sent: SentForm) -> int | None:
        """Return which form of the page was sent, by what it sends unseen."""
        for place, hidden in self.hidden.items():
            # Several forms of a page may have the same address (one for each door); their hidden fields tell
            # them apart. The token is the same in all of them and may have changed since; so may what tells
            # one showing of the form from the next.
            own = {name: value for name, value in hidden.items() if name not in {"csrf", "once"}}
            if all(sent.said(name) == value for name, value in own.items()):
                return place
        return None


class _Refill(HTMLParser):
    """Writes a page anew, with one form filled in, unfolded and marked."""

    def __init__(self, sent: SentForm, place: int, around: frozenset[int]) -> None:
        # Entities must pass through unchanged: a decoded `&lt;` would become a tag in the page that is
        # written.
        super().__init__(convert_charrefs=False)
        self.out: list[str] = []
        self._sent, self._place, self._around = sent, place, around
        self._forms, self._details = -1, -1
        self._is_in, self._skips, self._select = False, False, ""

    def handle_starttag(self, tag: str, attrs: Attributes) -> None:
        """Write a tag, changed where the form says so."""
        given = dict(attrs)
        if tag == "details":
            self._details += 1
            if self._is_in or self._details in self._around:
                given["open"] = None
        elif tag == "form":
            self._forms += 1
            self._is_in = self._forms == self._place
            if self._is_in:
                given["id"] = MARK
        elif self._is_in:
            self._fill(tag, given)
        self.out.append(_tag(tag, given) if given != dict(attrs) else self.get_starttag_text() or "")
        if tag == "main":
            link = f'<a href="#{MARK}">{escape(self._sent.to_form)}</a>'
            self.out.append(f'<p role="alert" class="bad" id="refused">{self._sent.told} {link}</p>')
        elif tag == "textarea" and self._is_in:
            # Browsers drop one line break right after <textarea>: without this one, a text that begins with a
            # line break would lose it.
            self.out.append("\n" + escape(self._sent.said(given.get("name") or "")))
            self._skips = True

    def _fill(self, tag: str, given: dict[str, str | None]) -> None:
        name, kind = given.get("name") or "", given.get("type") or ""
        if tag == "input" and kind in TYPED:
            given["value"] = self._sent.said(name)
        elif tag == "input" and kind in {"checkbox", "radio"}:
            given.pop("checked", None)
            if (given.get("value") or "on") in self._sent.fields.get(name, ()):
                given["checked"] = None
        elif tag == "select":
            self._select = name
        elif tag == "option" and self._select in self._sent.fields:
            given.pop("selected", None)
            if given.get("value") == self._sent.said(self._select):
                given["selected"] = None
        if self._sent.at and name == self._sent.at and kind != "hidden":
            given |= {"aria-invalid": "true", "aria-describedby": "refused"}

    def handle_endtag(self, tag: str) -> None:
        """Write the end of a tag."""
        if tag == "textarea":
            self._skips = False
        elif tag == "form":
            self._is_in = False
        elif tag == "select":
            self._select = ""
        self.out.append(f"</{tag}>")

    def handle_data(self, data: str) -> None:
        """Write text, but what stood in the box that was typed into."""
        if not self._skips:
            self.out.append(data)

    def handle_entityref(self, name: str) -> None:
        """Write a named letter."""
        self.handle_data(f"&{name};")

    def handle_charref(self, name: str) -> None:
        """Write a numbered letter."""
        self.handle_data(f"&#{name};")

    def handle_comment(self, data: str) -> None:
        """Write a comment."""
        self.out.append(f"<!--{data}-->")

    def handle_decl(self, decl: str) -> None:
        """Write the line that says what this is."""
        self.out.append(f"<!{decl}>")


def _tag(tag: str, given: Mapping[str, str | None]) -> str:
    parts = [name if value is None else f'{name}="{escape(value)}"' for name, value in given.items()]
    return f"<{' '.join([tag, *parts])}>"


def _path(action: str) -> str:
    return action.partition("?")[0]
