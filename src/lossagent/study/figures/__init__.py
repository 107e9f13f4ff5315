"""Figures of a study, as PNG files of their own and inside the page."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from lossagent.report.figures.canvas import Figure
from lossagent.report.palette import RunStyle
from lossagent.study.figures.anytime import anytime_figure
from lossagent.study.figures.canvas import styles_of
from lossagent.study.figures.crops import crop_figures
from lossagent.study.figures.forest import forest_figure
from lossagent.study.figures.ranks import rank_figure
from lossagent.study.figures.traded import traded_figure
from lossagent.study.figures.weights import weight_figure
from lossagent.study.results import Results

__all__ = ["Figure", "figures_of", "styles_of"]


def figures_of(
    folder: Path, results: Results, objective: str, styles: Mapping[str, RunStyle]
) -> dict[str, tuple[Figure, ...]]:
    """Section of the page -> its figures, as far as there is something to draw.

    Args:
        folder: of the study, for the pictures of its runs.
        results: what it found.
        objective: of the figures.
        styles: arm -> how it is drawn.
    """
    sets, metrics = results.sets(objective), results.compared(objective)
    pairs = [(name, metric) for name in sets for metric in metrics]
    groups = {
        "scores": [forest_figure(results, objective, *pair, styles) for pair in pairs],
        "metrics": [traded_figure(results, objective, *pair, styles) for pair in pairs],
        "ranks": [rank_figure(results, objective, styles)],
        "crops": crop_figures(folder, results, objective, styles),
        "course": [
            *(anytime_figure(results, objective, metric, styles) for metric in metrics),
            weight_figure(results, objective),
        ],
    }
    return {key: tuple(f for f in several if f is not None) for key, several in groups.items()}
