"""A path of each page of an application, taken from its own routes: none is forgotten where it is added."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.routing import Route

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from starlette.applications import Starlette

NO_PAGES = frozenset({"/language/{code}", "/static/{name}"})


def every_page(
    app: Starlette, examples: Mapping[str, Sequence[str]], others: Collection[str] = ()
) -> list[str]:
    """Return the paths to look at: a route's own, or those of `examples`.

    `others` are routes that show no page, or that another test looks at. Fails where a route with a gap is in
    neither, and where one of them is no route any more.
    """
    routes = [route for route in app.routes if isinstance(route, Route) and "GET" in (route.methods or ())]
    left_out = NO_PAGES | set(others)
    asked = [route.path for route in routes if route.path not in left_out]
    strange = (set(examples) | set(others)) - {route.path for route in routes}
    assert not strange, f"no pages of the application: {sorted(strange)}"
    unknown = [path for path in asked if "{" in path and path not in examples]
    assert not unknown, f"say what to look at: {unknown}"
    return [one for path in asked for one in examples.get(path, (path,))]
