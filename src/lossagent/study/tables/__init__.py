"""Every table of a study, as values."""

from __future__ import annotations

from lossagent.study.results import Results
from lossagent.study.tables.cells import MARKS, WORDS, Cell, Row, Section, Table
from lossagent.study.tables.costs import cost_table
from lossagent.study.tables.fairness import budget_table, depth_table
from lossagent.study.tables.limits import limit_table
from lossagent.study.tables.ranks import rank_table
from lossagent.study.tables.scores import cross_table, full_table, score_table

__all__ = ["MARKS", "WORDS", "Cell", "Row", "Section", "Table", "sections_of"]


def sections_of(results: Results, objective: str) -> tuple[Section, ...]:
    """The tables of one objective, grouped; sections without a table are left out."""
    sets, metrics = results.sets(objective), results.compared(objective)
    limits = limit_table(results, objective)
    ranks = rank_table(results, objective)
    full = full_table(results, objective)
    sections = (
        Section(
            "scores",
            "Arms against fixed and tuned weights",
            "Test images were never used for a choice; the selected state was chosen on the selection set.",
            (
                *(score_table(results, objective, name, metric) for name in sets for metric in metrics),
                *([full] if full else []),
            ),
        ),
        Section(
            "metrics",
            "Every metric",
            "What moving the objective did to everything else that was measured.",
            tuple(cross_table(results, objective, name) for name in sets),
        ),
        Section("limits", "Limits", "", (limits,) if limits else ()),
        Section("ranks", "Ranks", "", (ranks,) if ranks else ()),
        Section(
            "fairness",
            "Were the arms treated alike?",
            "",
            (
                budget_table(results, objective),
                *(t for m in metrics if (t := depth_table(results, objective, m)) is not None),
            ),
        ),
        Section("cost", "Cost", "", (cost_table(results, objective),)),
    )
    return tuple(section for section in sections if section.tables)
