"""A panel of a drawing: scales, axes with round numbers, lines and words, as parts of an SVG. Knows coordinates; does
not know what they mean."""

from collections.abc import Iterable, Sequence
from math import ceil, floor, isfinite, log10
from typing import Final, NamedTuple
from xml.sax.saxutils import escape, quoteattr

INK: Final = "#222222"
GRID: Final = "#dddddd"
TICKS: Final = 6
"""About so many on an axis."""

Point = tuple[float, float]


class Scale(NamedTuple):
    """From values to the drawing's units."""

    low: float
    high: float
    start: float
    end: float

    def __call__(self, value: float) -> float:
        return self.start + (value - self.low) / (self.high - self.low) * (self.end - self.start)


def ticks(low: float, high: float) -> list[float]:
    """Round numbers between two values: steps of 1, 2 or 5 times a power of ten."""
    rough = (high - low) / TICKS
    power = 10.0 ** floor(log10(rough))
    step = next(factor * power for factor in (1, 2, 5, 10) if factor * power >= rough * 0.999)
    return [round(number * step, 9) for number in range(ceil(low / step - 1e-9), floor(high / step + 1e-9) + 1)]


def text(x: float, y: float, words: str, *, anchor: str = "start", size: int = 13, weight: str = "normal") -> str:
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" font-size="{size}" font-weight="{weight}" '
        f'fill="{INK}">{escape(words)}</text>'
    )


class Panel:
    """Some axes and what is drawn in them."""

    def __init__(self, across: Scale, up: Scale) -> None:
        self.across = across
        self.up = up
        """`start` is at the bottom, so it is the greater of the two."""
        self.parts: list[str] = []
        self.inside: list[str] = []
        """What is cut off at the frame."""

    def axes(self, across_label: str, up_label: str) -> None:
        left, right, bottom, top = self.across.start, self.across.end, self.up.start, self.up.end
        for value in ticks(self.across.low, self.across.high):
            x = self.across(value)
            self.parts.append(_segment((x, bottom), (x, top), GRID))
            self.parts.append(text(x, bottom + 18, f"{value:g}", anchor="middle", size=12))
        for value in ticks(self.up.low, self.up.high):
            y = self.up(value)
            self.parts.append(_segment((left, y), (right, y), GRID))
            self.parts.append(text(left - 8, y + 4, f"{value:g}", anchor="end", size=12))
        self.parts.append(text((left + right) / 2, bottom + 38, across_label, anchor="middle"))
        self.parts.append(
            f'<g transform="translate({left - 48:.1f} {(top + bottom) / 2:.1f}) rotate(-90)">'
            f"{text(0, 0, up_label, anchor='middle')}</g>"
        )

    def drawn(self, name: str) -> list[str]:
        """All of it; `name` is used once in a drawing."""
        left, right, bottom, top = self.across.start, self.across.end, self.up.start, self.up.end
        box = f'x="{left:.1f}" y="{top:.1f}" width="{right - left:.1f}" height="{bottom - top:.1f}"'
        return [
            *self.parts,
            f'<clipPath id="{name}"><rect {box}/></clipPath><g clip-path="url(#{name})">',
            *self.inside,
            "</g>",
            f'<rect {box} fill="none" stroke="{INK}"/>',
        ]

    def line(self, points: Iterable[Point], colour: str, *, width: float = 2, dashes: str = "", name: str = "") -> None:
        """Broken where a value is not finite."""
        for run in _runs(points):
            path = " ".join(f"{self.across(x):.1f},{self.up(y):.1f}" for x, y in run)
            self.inside.append(
                f'<polyline class={quoteattr(name)} points="{path}" fill="none" stroke="{colour}" '
                f'stroke-width="{width:g}" stroke-dasharray="{dashes}" stroke-linejoin="round"/>'
            )

    def area(
        self, points: Sequence[Point], floor_at: float, colour: str, *, opacity: float = 1, name: str = ""
    ) -> None:
        """What lies between a line and a height."""
        for run in _runs(points):
            self.polygon([(run[0][0], floor_at), *run, (run[-1][0], floor_at)], colour, opacity=opacity, name=name)

    def polygon(self, points: Sequence[Point], colour: str, *, opacity: float = 1, name: str = "") -> None:
        path = " ".join(f"{self.across(x):.1f},{self.up(y):.1f}" for x, y in points)
        self.inside.append(
            f'<polygon class={quoteattr(name)} points="{path}" fill="{colour}" fill-opacity="{opacity:g}"/>'
        )

    def band(self, low: float, high: float, colour: str, *, name: str = "") -> None:
        """From one value across to another, over the whole height."""
        bottom, top = self.up.low, self.up.high
        self.polygon([(low, bottom), (low, top), (high, top), (high, bottom)], colour, opacity=0.5, name=name)

    def dot(self, x: float, y: float, colour: str, *, hollow: bool = False, name: str = "") -> None:
        fill = "#ffffff" if hollow else colour
        self.inside.append(
            f'<circle class={quoteattr(name)} cx="{self.across(x):.1f}" cy="{self.up(y):.1f}" r="5.5" fill="{fill}" '
            f'stroke="{colour}" stroke-width="2.5"/>'
        )

    def words(self, x: float, y: float, words: str, *, right_of: bool, raised: float = 0) -> None:
        """Beside a point, with a light edge so that lines below do not cross them out."""
        drawn = text(
            self.across(x) + (10 if right_of else -10),
            self.up(y) + 4 - raised,
            words,
            anchor="start" if right_of else "end",
        )
        halo = drawn.replace("<text ", '<text stroke="#ffffff" stroke-width="4" stroke-linejoin="round" ', 1)
        self.inside += [halo, drawn]


def _segment(a: Point, b: Point, colour: str) -> str:
    return f'<line x1="{a[0]:.1f}" y1="{a[1]:.1f}" x2="{b[0]:.1f}" y2="{b[1]:.1f}" stroke="{colour}"/>'


def _runs(points: Iterable[Point]) -> list[list[Point]]:
    """The stretches of a line in which every value is finite."""
    runs: list[list[Point]] = [[]]
    for point in points:
        if isfinite(point[0]) and isfinite(point[1]):
            runs[-1].append(point)
        elif runs[-1]:
            runs.append([])
    return [run for run in runs if run]
