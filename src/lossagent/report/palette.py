"""Colours and names: one colour for each run and each loss, the same in every figure and table.

Runs take Okabe and Ito's palette (jfly.uni-koeln.de/color), losses Tol's "muted" one (SRON/EPS/TN/09-002):
both are told apart with any colour vision. Runs differ in dash and marker too, for prints without colour.
"""

from __future__ import annotations

from dataclasses import dataclass

RUN_COLOURS = ("#0072B2", "#D55E00", "#009E73", "#AA4499", "#8C6D00", "#56B4E9")
RUN_DASHES: tuple[str | tuple[int, tuple[float, ...]], ...] = (
    "-",
    (0, (5.0, 2.0)),
    (0, (1.2, 1.6)),
    "-.",
    ":",
    "--",
)
RUN_MARKERS = ("o", "s", "^", "D", "v", "P")
LOSS_COLOURS = ("#332288", "#DDAA33", "#117733", "#88CCEE", "#CC6677", "#44AA99", "#999933", "#882255")
INK, MUTED, FAINT, TRUTH = "#1f2328", "#59636e", "#b6bdc5", "#000000"
UNDONE, UNDONE_LABEL = "#8b949e", "undone by rollback"


@dataclass(frozen=True)
class RunStyle:
    """How a run is drawn.

    Attributes:
        label: its name in legends and tables.
        colour: ``#rrggbb``.
        dash, marker: matplotlib line style and marker.
    """

    label: str
    colour: str
    dash: str | tuple[int, tuple[float, ...]]
    marker: str


def run_style(index: int, label: str) -> RunStyle:
    """The style of the run at a place in the list; the reported run is 0."""
    i = index % len(RUN_COLOURS)
    return RunStyle(label, RUN_COLOURS[i], RUN_DASHES[i], RUN_MARKERS[i])


def loss_colours(names: tuple[str, ...]) -> dict[str, str]:
    """loss -> colour, by its place in the loss repository."""
    return {name: LOSS_COLOURS[i % len(LOSS_COLOURS)] for i, name in enumerate(names)}
