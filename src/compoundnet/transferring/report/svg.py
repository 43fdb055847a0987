"""Curves as inline SVG, drawn here: a report must open without a library and without the network."""

from collections.abc import Sequence
from html import escape

_WIDTH, _HEIGHT, _LEFT, _BELOW = 640, 260, 56, 36
_COLOURS = ("#1f5fa8", "#c2500a", "#2b7a3d")


def curves(series: Sequence[tuple[str, Sequence[float]]], below: str) -> str:
    """Lines over 1, 2, 3, ...; each named at its end and marked by a dash of its own, so colour is not needed."""
    values = [value for _, line in series for value in line]
    low, high = min(values), max(values)
    span = (high - low) or 1.0
    count = max(len(line) for _, line in series)

    def place(index: int, value: float) -> str:
        x = _LEFT + index / max(1, count - 1) * (_WIDTH - _LEFT - 130)
        y = 12 + (high - value) / span * (_HEIGHT - _BELOW - 24)
        return f"{x:.1f},{y:.1f}"

    parts = [f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" aria-label="{escape(below)}">']
    for value in (low, (low + high) / 2, high):
        x, y = place(0, value).split(",")
        parts.append(f'<text x="{float(x) - 6:.1f}" y="{y}" text-anchor="end" dy="4">{value:.3g}</text>')
        parts.append(f'<line x1="{x}" x2="{_WIDTH - 130}" y1="{y}" y2="{y}" stroke="#ddd"/>')
    for number, (name, line) in enumerate(series):
        colour, dash = _COLOURS[number % len(_COLOURS)], f"{8 - 3 * number} {3 * number}"
        points = " ".join(place(index, value) for index, value in enumerate(line))
        parts.append(f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-dasharray="{dash}"/>')
        x, y = place(len(line) - 1, line[-1]).split(",")
        parts.append(f'<circle cx="{x}" cy="{y}" r="3" fill="{colour}"/>')
        parts.append(f'<text x="{float(x) + 8:.1f}" y="{y}" dy="4" fill="{colour}">{escape(name)}</text>')
    middle = (_LEFT + _WIDTH - 130) / 2
    parts.append(f'<text x="{middle}" y="{_HEIGHT - 6}" text-anchor="middle">{escape(below)}, 1 to {count}</text>')
    return "".join([*parts, "</svg>"])
