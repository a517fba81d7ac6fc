"""The results as a table, as a plot, and in figures for a test to compare."""

from __future__ import annotations

from html import escape
from statistics import median
from typing import TYPE_CHECKING, Any

from edge.bench.gate.scenes import MOST_WAIT

if TYPE_CHECKING:
    from collections.abc import Sequence

    from edge.bench.gate.run import Result

ROW_PX, LEFT_PX, WIDTH_PX, SECONDS = 18, 330, 900, 4.0


def totals(results: Sequence[Result]) -> dict[str, Any]:
    """Return the sums over all scenes: residents let in of those expected, and everything that was wrong."""
    waits = sorted(wait for result in results for wait in result.waits.values())
    return {
        "scenes": len(results),
        "right": sum(result.is_right for result in results),
        "expected": sum(result.expected for result in results),
        "let_in": len(waits),
        "within": sum(wait <= MOST_WAIT for wait in waits),
        "median_wait_s": median(waits) if waits else None,
        "longest_wait_s": waits[-1] if waits else None,
        "twice": sum(result.twice for result in results),
        "wrong": sum(len(result.wrong) for result in results),
        "accused": sum(result.accused for result in results),
        "paused": sum(result.paused for result in results),
    }


def table(results: Sequence[Result]) -> str:
    """Return a Markdown table, a row a scene."""
    head = ("scene", "let in", "longest wait, s", "CPU, ms a frame", "refusals", "what is wrong")
    return "\n".join(
        [f"| {' | '.join(head)} |", "|---" * len(head) + "|", *(_row(result) for result in results)]
    )


def _row(result: Result) -> str:
    let_in = f"{len(result.waits)} of {result.expected}" if result.expected else "nobody expected"
    longest = f"{max(result.waits.values()):.1f}" if result.waits else ""
    refusals = ", ".join(f"{count} {reason}" for reason, count in sorted(result.refusals.items()))
    wrong = "; ".join(result.faults)
    return f"| {result.name} | {let_in} | {longest} | {result.cpu_ms:.1f} | {refusals} | {wrong} |"


def line(result: Result) -> str:
    """Return one scene in one line, for a terminal."""
    mark = "ok " if result.is_right else "BAD"
    waits = ", ".join(f"{who} {wait:.1f} s" for who, wait in result.waits.items())
    missed = [f"missed {', '.join(result.missed)}"] if result.missed else []
    return "; ".join([f"{mark} {result.name}: {waits or 'nobody let in'}", *missed, *result.faults])


def plot(results: Sequence[Result]) -> str:
    """Return an SVG: a row a scene, a dot for each wait, a line at the most that is right."""
    height = ROW_PX * (len(results) + 2)
    limit = _x(MOST_WAIT)
    size, font = f'width="{WIDTH_PX}" height="{height}"', 'font-family="sans-serif" font-size="12"'
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} {font}>',
        f'<rect width="{WIDTH_PX}" height="{height}" fill="white"/>',
        f'<line x1="{limit}" y1="0" x2="{limit}" y2="{height}" stroke="#999" stroke-dasharray="4"/>',
        f'<text x="{limit + 4}" y="13" fill="#666">{MOST_WAIT} s</text>',
    ]
    for number, result in enumerate(results):
        y = ROW_PX * (number + 2)
        colour = "#1a7f37" if result.is_right else "#b3261e"
        parts.append(f'<text x="4" y="{y}" fill="{colour}">{escape(result.name[:52])}</text>')
        dots = [_dot(wait, y, "#1f5fa8") for wait in result.waits.values()]
        parts += dots + [_dot(SECONDS, y, "#b3261e") for _ in result.missed[:1]]
    return "\n".join([*parts, "</svg>"])


def _x(seconds: float) -> int:
    return LEFT_PX + round((WIDTH_PX - LEFT_PX - 20) * min(max(seconds, 0.0), SECONDS) / SECONDS)


def _dot(seconds: float, y: int, colour: str) -> str:
    return f'<circle cx="{_x(seconds)}" cy="{y - 4}" r="4" fill="{colour}" fill-opacity="0.7"/>'
