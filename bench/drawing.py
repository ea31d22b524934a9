"""The curve of `bench latency` as an SVG: p50 (solid) and p99 (dashed) of ours and raw over the rate, both logarithmic."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

WIDTH, HEIGHT, LEFT, TOP, RIGHT, BOTTOM = 640, 400, 60, 20, 110, 40
COLOURS = {"ours": "#1f6feb", "raw": "#6e7781"}
MS = (1, 2, 5, 10, 20, 50, 100, 200, 500)


def curve(file: str, points: Mapping[str, Mapping[int, Mapping[str, Any]]]) -> None:
    """Write it. `points`: chain -> rate a second -> `p50_ms`, `p99_ms`."""
    rates = sorted(next(iter(points.values())))
    lines = [_axes(rates)]
    for chain, by_rate in points.items():
        for figure, dash in (("p50_ms", ""), ("p99_ms", ' stroke-dasharray="5 4"')):
            places = [(_x(rate, rates), _y(by_rate[rate][figure])) for rate in rates]
            path = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
            lines.append(f'<polyline points="{path}" fill="none" stroke="{COLOURS[chain]}" stroke-width="2"{dash}/>')
            x, y = places[-1]
            lines.append(f'<text x="{x + 6:.1f}" y="{y + 4:.1f}" fill="{COLOURS[chain]}">{chain} {figure[:3]}</text>')
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif" font-size="12">'
    Path(file).write_text(
        "\n".join([head, f'<rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>', *lines, "</svg>"]) + "\n"
    )


def _x(rate: int, rates: list[int]) -> float:
    return LEFT + (WIDTH - LEFT - RIGHT) * math.log(rate / rates[0]) / math.log(rates[-1] / rates[0])


def _y(ms: float) -> float:
    return HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * math.log(max(ms, MS[0]) / MS[0]) / math.log(MS[-1] / MS[0])


def _axes(rates: list[int]) -> str:
    parts = []
    for ms in MS:
        y = _y(ms)
        parts.append(f'<line x1="{LEFT}" y1="{y:.1f}" x2="{WIDTH - RIGHT}" y2="{y:.1f}" stroke="#d0d7de"/>')
        parts.append(f'<text x="{LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">{ms} ms</text>')
    parts += [f'<text x="{_x(r, rates):.1f}" y="{HEIGHT - 16}" text-anchor="middle">{r}/s</text>' for r in rates]
    return "\n".join(parts)
