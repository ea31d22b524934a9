"""A recorded trace as an SVG: a bar for each span, from its start to its end, below the span that caused it."""

from __future__ import annotations

import html
import json
from collections import defaultdict
from pathlib import Path
from typing import Any

JOINED = frozenset(
    {"ingress.platform", "engine.turn", "deliver call", "deliver message", "deliver webhook", "deliver event"}
)
"""What a trace has that goes from a person's message to the last delivery."""
COLOURS = {"ingress": "#1f6feb", "flow-engine": "#8250df", "dispatcher": "#1a7f37", "registry": "#9a6700"}
WIDTH, LEFT, RIGHT, TOP, ROW = 860, 250, 90, 44, 22
TICKS = 5
Span = dict[str, Any]


def draw(spans: Path, picture: Path) -> None:
    """Draw the shortest trace of the whole path that is in a file of SWITCHHOOK_TRACE_FILE. LookupError when there is none."""
    picture.write_text(svg(shortest(read(spans))))


def read(file: Path) -> dict[str, list[Span]]:
    """Trace id -> its spans."""
    traces: dict[str, list[Span]] = defaultdict(list)
    for line in file.read_text().splitlines():
        span = json.loads(line)
        traces[span["trace_id"]].append(span)
    return traces


def shortest(traces: dict[str, list[Span]]) -> list[Span]:
    """Of those with all of JOINED."""
    whole = [spans for spans in traces.values() if {span["name"] for span in spans} >= JOINED]
    if not whole:
        raise LookupError("no trace goes from a message to the last delivery")
    return min(whole, key=lambda spans: max(s["end_ns"] for s in spans) - min(s["start_ns"] for s in spans))


def ordered(spans: list[Span]) -> list[tuple[int, Span]]:
    """(depth, span): each below the one that caused it, and by their starts."""
    known = {span["span_id"] for span in spans}
    below: dict[str | None, list[Span]] = defaultdict(list)
    for span in sorted(spans, key=lambda span: span["start_ns"]):
        below[span["parent_id"] if span["parent_id"] in known else None].append(span)

    def walk(parent: str | None, depth: int) -> list[tuple[int, Span]]:
        return [each for span in below[parent] for each in ((depth, span), *walk(span["span_id"], depth + 1))]

    return walk(None, 0)


def svg(spans: list[Span]) -> str:
    """The picture; times are milliseconds since the trace began."""
    begin = int(min(span["start_ns"] for span in spans))
    end = int(max(span["end_ns"] for span in spans))
    width, height = WIDTH - LEFT - RIGHT, TOP + ROW * len(spans) + 10

    def x(ns: int) -> float:
        return LEFT + width * (ns - begin) / (end - begin)

    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" font-family="sans-serif" font-size="12">',
        f'<rect width="{WIDTH}" height="{height}" fill="white"/>',
    ]
    for tick in range(TICKS + 1):
        at = begin + (end - begin) * tick // TICKS
        parts.append(f'<line x1="{x(at):.1f}" y1="{TOP - 8}" x2="{x(at):.1f}" y2="{height - 8}" stroke="#d0d7de"/>')
        parts.append(f'<text x="{x(at):.1f}" y="{TOP - 14}" text-anchor="middle">{(at - begin) / 1e6:.0f} ms</text>')
    for row, (depth, span) in enumerate(ordered(spans)):
        y, long = TOP + ROW * row, (span["end_ns"] - span["start_ns"]) / 1e6
        colour = COLOURS[span["service"]]
        parts.append(
            f'<text x="{8 + 14 * depth}" y="{y + 14}" fill="{colour}">{html.escape(span["name"])}'
            f'<tspan fill="#6e7781"> {span["service"]}</tspan></text>'
        )
        wide = max(1.5, x(span["end_ns"]) - x(span["start_ns"]))
        parts.append(
            f'<rect x="{x(span["start_ns"]):.1f}" y="{y + 4}" width="{wide:.1f}" height="13" fill="{colour}"/>'
        )
        parts.append(f'<text x="{x(span["start_ns"]) + wide + 5:.1f}" y="{y + 14}">{long:.1f} ms</text>')
    return "\n".join([*parts, "</svg>"]) + "\n"
