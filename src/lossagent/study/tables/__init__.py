"""Every table of a study, as values."""

from __future__ import annotations

from dataclasses import replace

from lossagent.study.results import Results
from lossagent.study.tables.cells import MARKS, WORDS, Cell, Row, Section, Table
from lossagent.study.tables.costs import cost_table
from lossagent.study.tables.fairness import budget_table, depth_table
from lossagent.study.tables.incomplete import incomplete
from lossagent.study.tables.limits import limit_table
from lossagent.study.tables.ranks import rank_table
from lossagent.study.tables.scores import cross_table, full_table, rules, score_table

__all__ = ["MARKS", "WORDS", "Cell", "Row", "Section", "Table", "sections_of"]


def sections_of(results: Results, objective: str) -> tuple[Section, ...]:
    """The tables of one objective, grouped; sections without a table are left out."""
    sets, metrics = results.sets(objective), results.compared(objective)
    limits = limit_table(results, objective)
    ranks = rank_table(results, objective)
    full = full_table(results, objective)
    missing = incomplete(results, objective, (*results.arms(objective), *results.full(objective)))
    sections = (
        Section(
            "scores",
            "Scores",
            "Arms against fixed and tuned weights",
            (
                *(score_table(results, objective, name, metric) for name in sets for metric in metrics),
                *([full] if full else []),
            ),
            "Test images were never used for a choice; the selected state was chosen on the selection set.",
            (*rules(results, objective), *(gap.sentence for gap in missing)),
        ),
        Section(
            "metrics",
            "Metrics",
            "Every metric",
            tuple(cross_table(results, objective, name) for name in sets),
            "What moving the objective did to everything else that was measured.",
        ),
        Section("limits", "Limits", "Limits", (limits,) if limits else ()),
        Section("ranks", "Ranks", "Ranks", (ranks,) if ranks else ()),
        Section(
            "fairness",
            "Fairness",
            "Were the arms treated alike?",
            (
                budget_table(results, objective),
                *(t for m in metrics if (t := depth_table(results, objective, m)) is not None),
            ),
        ),
        Section("cost", "Cost", "Cost", (cost_table(results, objective),)),
    )
    found = tuple(section for section in sections if section.tables)
    return tuple(_simulated(section) for section in found) if results.simulated else found


def _simulated(section: Section) -> Section:
    """The same, saying in every title that a response model stood in for training."""
    tables = tuple(replace(table, title=f"{table.title} (simulated)") for table in section.tables)
    return replace(section, title=f"{section.title} (simulated)", tables=tables)
