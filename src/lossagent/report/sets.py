"""The evaluated image sets of a run: their purposes, with and without photographs that stand elsewhere too."""

from __future__ import annotations

from collections.abc import Container, Mapping

from lossagent.feedback import POOLED
from lossagent.report.reading import EvaluatedRow, EvaluatedSet, RunData

PURPOSES = {
    "feedback": "the agent saw these",
    "selection": "chose the checkpoint",
}
OTHER_PURPOSE = "never used for a choice"
UNSHARED = ", without shared photographs"
GROUND_TRUTH = "ground truth"
CONTROL = "correlated-noise control"


def by_purpose(name: str) -> tuple[int, str]:
    """Sort key of sets: those never used for a choice first, the one that the agent saw last."""
    return {"feedback": 2, "selection": 1}.get(name.removesuffix(UNSHARED), 0), name


def sets_of(run: RunData) -> dict[str, EvaluatedSet]:
    """The evaluated sets of a run; without an evaluation, the feedback scores it recorded itself."""
    if run.evaluation is not None and run.evaluation.sets:
        return _with_and_without(run.evaluation.sets)
    rows = {
        label: EvaluatedRow(state=s.id, depth=s.depth, scores=s.feedback.scores)
        for label, s in (("start", run.trajectory.start), ("selected", run.selected), ("last", run.last))
        if s.feedback is not None
    }
    if not rows:
        return {}
    images = dict.fromkeys(i for row in rows.values() for s in row.scores.values() for i in s if i != POOLED)
    known = run.trajectory.start.feedback
    conditions = known.conditions if known is not None else {}
    return {"feedback": EvaluatedSet(images=tuple(images), rows=rows, conditions=conditions)}


def _with_and_without(sets: Mapping[str, EvaluatedSet]) -> dict[str, EvaluatedSet]:
    """Every set, and beside a set that shares photographs with another one the set without them."""
    result: dict[str, EvaluatedSet] = {}
    for name, one in sets.items():
        result[name] = one
        if one.also_in and set(one.images) - one.also_in.keys():
            rows = {label: _without(row, one.also_in) for label, row in one.rows.items()}
            images = tuple(i for i in one.images if i not in one.also_in)
            result[name + UNSHARED] = EvaluatedSet(
                images=images, metrics=one.metrics, rows=rows, conditions=one.conditions
            )
    return result


def _without(row: EvaluatedRow, images: Container[str]) -> EvaluatedRow:
    scores = {m: {i: v for i, v in s.items() if i not in images} for m, s in row.scores.items()}
    return row.model_copy(update={"scores": scores})


def row_at_depth(run: RunData, set_name: str, depth: int) -> EvaluatedRow | None:
    """Scores of a run's state at a depth on its main path, if they were taken on that set."""
    one = sets_of(run).get(set_name)
    if one is None:
        return None
    for label, row in one.rows.items():
        if row.depth == depth and label not in (GROUND_TRUTH, CONTROL):
            return row
    if set_name == "feedback":
        for state in run.trajectory.path(run.last.id):
            if state.depth == depth and state.feedback is not None:
                return EvaluatedRow(state=state.id, depth=depth, scores=state.feedback.scores)
    return None
