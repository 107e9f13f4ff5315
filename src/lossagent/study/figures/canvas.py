"""The drawing style of a study's figures: one colour and marker an arm, panels of one size, small files."""

from __future__ import annotations

import io
import math
from collections.abc import Iterator, Sequence
from dataclasses import replace

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure as Drawing
from PIL import Image

from lossagent.report.figures.canvas import Figure, finish
from lossagent.report.palette import FAINT, INK, MUTED, RUN_COLOURS, RUN_DASHES, RUN_MARKERS, RunStyle
from lossagent.study.settings import FIXED

DPI, WIDTH = 150, 11.2
COLOURS = 128
"""Of a finished file: lines and text need no more, and it is a third of the size."""


def styles_of(arms: Sequence[str]) -> dict[str, RunStyle]:
    """Arm -> style, by its place; orange belongs to the fixed arm alone. Arms of one colour differ in their marker."""
    own = 1
    others = iter([i for i in range(2 * len(arms) + 1) if i % len(RUN_COLOURS) != own])
    found: dict[str, RunStyle] = {}
    for arm in arms:
        i = own if arm == FIXED else next(others)
        turn = (i + i // len(RUN_COLOURS)) % len(RUN_MARKERS)
        found[arm] = RunStyle(arm, RUN_COLOURS[i % len(RUN_COLOURS)], RUN_DASHES[turn], RUN_MARKERS[turn])
    return found


def sheet(height: float, width: float = WIDTH) -> Drawing:
    """An empty figure, in inches."""
    drawing = Drawing(figsize=(width, height), dpi=DPI)
    FigureCanvasAgg(drawing)
    return drawing


def house(axes: Axes, grid: str = "y") -> None:
    """The house style of one pair of axes; ``grid`` names the axis that has lines."""
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    for side in ("left", "bottom"):
        axes.spines[side].set_color(FAINT)
    axes.tick_params(colors=MUTED, labelsize=9, length=3)
    axes.grid(axis="x" if grid == "x" else "y", color="#e6e8eb", linewidth=0.8)
    axes.set_axisbelow(True)


def panels(drawing: Drawing, names: Sequence[str], columns: int = 4) -> Iterator[tuple[str, Axes]]:
    """One small pair of axes a name, all on one scale; the outer ones carry the numbers."""
    columns = min(columns, len(names))
    rows = math.ceil(len(names) / columns)
    width, height = drawing.get_size_inches()
    drawing.subplots_adjust(
        left=0.75 / width,
        right=1 - 0.12 / width,
        bottom=0.55 / height,
        top=1 - 0.3 / height,
        wspace=0.08,
        hspace=0.3,
    )
    first: Axes | None = None
    for place, name in enumerate(names):
        axes = drawing.add_subplot(rows, columns, place + 1, sharex=first, sharey=first)
        first = first or axes
        house(axes)
        axes.tick_params(labelleft=place % columns == 0, labelbottom=place + columns >= len(names))
        axes.set_title(short(name, 30), loc="left", fontsize=9.5, color=INK, pad=3)
        yield name, axes


def grid_height(count: int, columns: int = 4) -> float:
    """Height in inches of a figure of so many panels."""
    return 0.85 + 1.75 * math.ceil(count / min(columns, count))


def finished(drawing: Drawing, name: str, title: str, alt: str, *, simulated: bool, wide: bool = True) -> Figure:
    """The PNG of a figure with few colours; a simulated one says so inside the picture too."""
    if simulated:
        title = f"Simulated: {title[0].lower()}{title[1:]}"
        drawing.text(0.997, 0.997, "simulated", ha="right", va="top", fontsize=9, color="#b42318", weight="bold")
    figure = finish(drawing, name, title, alt, wide)
    buffer = io.BytesIO()
    with Image.open(io.BytesIO(figure.png)) as picture:
        few = picture.convert("RGB").quantize(COLOURS, dither=Image.Dither.NONE)
        few.save(buffer, format="PNG", optimize=True)
    return replace(figure, png=buffer.getvalue())


def short(name: str, length: int = 22) -> str:
    """A name that fits beside an axis."""
    return name if len(name) <= length else f"{name[: length - 1]}…"


def rows_axis(axes: Axes, names: Sequence[str], styles: dict[str, RunStyle]) -> None:
    """Arms down the vertical axis, the first on top."""
    axes.set_ylim(len(names) - 0.4, -0.6)
    axes.set_yticks(range(len(names)), labels=[short(name) for name in names], fontsize=9.5)
    for label, name in zip(axes.get_yticklabels(), names, strict=True):
        label.set_color(styles[name].colour if name in styles else INK)
    axes.tick_params(axis="y", length=0)
