"""Values that a JSON Schema of the AsyncAPI document admits, as a hypothesis strategy."""

import re

from hypothesis import strategies as st

from edge.wire.shapes import PRINTABLE, TIME

LETTERS = st.characters(min_codepoint=32, max_codepoint=126) | st.sampled_from("安娜äß€")
ANYTHING = st.none() | st.booleans() | st.integers() | st.text(max_size=5)
LONGEST_LIST = 4


def _texts(schema):
    least, most = schema["minLength"], schema["maxLength"]
    pattern = schema.get("pattern", PRINTABLE)
    if pattern == PRINTABLE:
        return st.text(LETTERS, min_size=least, max_size=min(most, least + 40)) | st.just("x" * most)
    alphabet = st.characters(codec="ascii")
    found = st.from_regex(re.compile(pattern), fullmatch=True, alphabet=alphabet)
    return found.filter(lambda text: least <= len(text) <= most)


def _moments(_schema):
    seconds = st.datetimes().map(lambda at: at.isoformat(timespec="seconds") + "Z")
    minutes = st.datetimes().map(lambda at: at.isoformat(" ", timespec="minutes") + "+09:30")
    exact = st.datetimes().map(lambda at: at.isoformat(timespec="microseconds") + "-00:00")
    return (seconds | minutes | exact).filter(TIME.fullmatch)


def _lists(schema):
    most = min(schema["maxItems"], schema["minItems"] + LONGEST_LIST)
    return st.lists(values(schema["items"]), min_size=schema["minItems"], max_size=most)


def _objects(schema):
    if "propertyNames" in schema:
        names = _texts({"minLength": 1, "maxLength": 80, **schema["propertyNames"]})
        return st.dictionaries(names, values(schema["additionalProperties"]), max_size=LONGEST_LIST)
    known = {name: values(inner) for name, inner in schema["properties"].items()}
    needed = {name: known[name] for name in schema["required"]}
    others = {name: inner for name, inner in known.items() if name not in needed}
    drawn = st.fixed_dictionaries(needed, optional=others)
    if not schema["additionalProperties"]:
        return drawn
    more = st.dictionaries(st.text(LETTERS, max_size=5).filter(lambda name: name not in known), ANYTHING)
    return st.tuples(more, drawn).map(lambda pair: pair[0] | pair[1])


KINDS = {
    "null": lambda _: st.none(),
    "boolean": lambda _: st.booleans(),
    "integer": lambda s: st.integers(s["minimum"], s["maximum"]),
    "number": lambda s: (
        st.floats(s["minimum"], s["maximum"]) | st.integers(int(s["minimum"]), int(s["maximum"]))
    ),
    "string": _texts,
    "array": _lists,
    "object": _objects,
}


def values(schema):
    """Return a strategy for the values that `schema` admits. It knows what our shapes print."""
    for several in ("oneOf", "anyOf"):
        if several in schema:
            return st.one_of([values(one) for one in schema[several]])
    if "const" in schema:
        return st.just(schema["const"])
    if "enum" in schema:
        return st.sampled_from(schema["enum"])
    if schema.get("format") == "date-time":
        return _moments(schema)
    return KINDS[schema["type"]](schema)
