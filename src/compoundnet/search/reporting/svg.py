"""A panel as inline SVG, drawn here: a report opens without a library and without the network."""

from collections.abc import Iterator
from html import escape

from .panel import Axis, Bars, Panel, Series

WIDTH, HEIGHT = 640, 340
STYLE = (
    "svg .g{stroke:#e2e2e2;fill:none}svg .l{fill:none;stroke-width:2}svg .w{stroke:#222;fill:none}"
    "svg .p{fill:none;stroke-width:2.4;stroke-linecap:round}svg .b{fill:#0072B2;opacity:.6}"
    "svg .k{paint-order:stroke;stroke:#fff;stroke-width:3px}"
)
_LEFT, _RIGHT, _TOP, _BELOW = 62, 14, 12, 44
_BAR, _NAMES = 22, 190
_SHORT = 26  # letters of a name beside its bar


def drawn(panel: Panel) -> str:
    """The picture, with its title for those who cannot see it."""
    body = _bars(panel.bars, panel.x) if panel.bars is not None else _plot(panel)
    height = HEIGHT if panel.bars is None else _BAR * len(panel.bars.names) + _TOP + _BELOW
    head = f'<svg viewBox="0 0 {WIDTH} {height}" role="img" aria-label="{escape(panel.title)}">'
    return "".join([head, *body, "</svg>"])


def _plot(panel: Panel) -> Iterator[str]:
    bottom = HEIGHT - _BELOW
    for value, word in panel.y.marks().items():
        y = _y(panel.y, value)
        yield f'<path class="g" d="M{_LEFT} {y:.1f}H{WIDTH - _RIGHT}"/>'
        yield f'<text x="{_LEFT - 6}" y="{y:.1f}" dy="4" text-anchor="end">{escape(word)}</text>'
    for value, word in panel.x.marks().items():
        x = _x(panel.x, value)
        yield f'<path class="g" d="M{x:.1f} {_TOP}V{bottom}"/>'
        yield f'<text x="{x:.1f}" y="{bottom + 16}" text-anchor="middle">{escape(word)}</text>'
    centre, middle = (_LEFT + WIDTH - _RIGHT) / 2, (_TOP + bottom) / 2
    yield f'<text x="{centre}" y="{HEIGHT - 8}" text-anchor="middle">{escape(panel.x.title)}</text>'
    yield f'<text transform="translate(12 {middle}) rotate(-90)" text-anchor="middle">{escape(panel.y.title)}</text>'
    for series in panel.series:
        yield _series(series, panel)
    yield from _legend(panel)


def _series(series: Series, panel: Panel) -> str:
    pairs = zip(series.xs, series.ys, strict=True)
    places = [(_x(panel.x, x), _y(panel.y, y)) for x, y in pairs if panel.y.share(y) >= 0]
    if series.kind == "points":  # one path; those that fall on one another are drawn once
        whole = dict.fromkeys((round(x), round(y)) for x, y in places)
        path = "".join(f"M{x} {y}h0" for x, y in whole)
        return f'<path d="{path}" class="p" stroke="{series.colour}"/>'
    if series.kind == "marks":
        return "".join(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="4" fill="{series.colour}"/>' for x, y in places)
    dash = f' stroke-dasharray="{series.dash}"' if series.dash else ""
    return f'<path d="{_path(places, series.kind == "steps")}" class="l" stroke="{series.colour}"{dash}/>'


def _path(places: list[tuple[float, float]], steps: bool) -> str:
    if not places:
        return ""
    (x, y), *rest = places
    parts = [f"M{x:.1f} {y:.1f}"]
    parts += [f"H{x:.1f}V{y:.1f}" if steps else f"L{x:.1f} {y:.1f}" for x, y in rest]
    return "".join(parts)


def _legend(panel: Panel) -> Iterator[str]:
    named = [series for series in panel.series if series.name]
    for number, series in enumerate(named):
        y = HEIGHT - _BELOW - 10 - 16 * (len(named) - 1 - number)
        x = WIDTH - _RIGHT - 10
        yield f'<text class="k" x="{x - 26}" y="{y}" text-anchor="end">{escape(series.name)}</text>'
        if series.kind in ("points", "marks"):
            radius = 4 if series.kind == "marks" else 2
            yield f'<circle cx="{x - 10}" cy="{y - 4}" r="{radius}" fill="{series.colour}"/>'
        else:
            dash = f' stroke-dasharray="{series.dash}"' if series.dash else ""
            yield f'<path class="l" d="M{x - 20} {y - 4}H{x}" stroke="{series.colour}"{dash}/>'


def _bars(bars: Bars, axis: Axis) -> Iterator[str]:
    bottom = _TOP + _BAR * len(bars.names)

    def place(value: float) -> float:
        return _NAMES + axis.share(value) * (WIDTH - _RIGHT - _NAMES)

    for value, word in axis.marks().items():
        yield f'<path class="g" d="M{place(value):.1f} {_TOP}V{bottom}"/>'
        yield f'<text x="{place(value):.1f}" y="{bottom + 16}" text-anchor="middle">{escape(word)}</text>'
    centre = (_NAMES + WIDTH - _RIGHT) / 2
    yield f'<text x="{centre}" y="{bottom + 36}" text-anchor="middle">{escape(axis.title)}</text>'
    for number, (name, value) in enumerate(zip(bars.names, bars.values, strict=True)):
        y = _TOP + _BAR * number
        start, end = sorted((place(0.0), place(value)))
        short = name if len(name) <= _SHORT else f"{name[: _SHORT - 1]}\u2026"
        yield f'<text x="{_NAMES - 8}" y="{y + 15}" text-anchor="end">{escape(short)}</text>'
        yield f'<rect class="b" x="{start:.1f}" y="{y + 4}" width="{end - start:.1f}" height="{_BAR - 8}"/>'
        low, high, middle = place(bars.lows[number]), place(bars.highs[number]), y + _BAR / 2
        yield f'<path class="w" d="M{low:.1f} {middle}H{high:.1f}M{low:.1f} {middle - 4}v8M{high:.1f} {middle - 4}v8"/>'


def _x(axis: Axis, value: float) -> float:
    return _LEFT + axis.share(value) * (WIDTH - _RIGHT - _LEFT)


def _y(axis: Axis, value: float) -> float:
    return HEIGHT - _BELOW - axis.share(value) * (HEIGHT - _BELOW - _TOP)
