"""Figures of the report, one panel a PNG file, so that they read on a phone too."""

from __future__ import annotations

from lossagent.report.figures.canvas import Course, Figure, courses
from lossagent.report.figures.losses import loss_figures
from lossagent.report.figures.pareto import pareto_figures
from lossagent.report.figures.scores import score_figures
from lossagent.report.figures.shares import share_figures
from lossagent.report.figures.weights import weight_figures

__all__ = [
    "Course",
    "Figure",
    "courses",
    "loss_figures",
    "pareto_figures",
    "score_figures",
    "share_figures",
    "weight_figures",
]
