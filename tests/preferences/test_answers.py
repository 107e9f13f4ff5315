"""Comparisons, consistency, agreement, and the side that hands prefer."""

from __future__ import annotations

import pytest

from lossagent.judgements import Judgement, Task, Verdict
from lossagent.preferences import (
    Comparison,
    agreement,
    answers_by_rater,
    comparisons_of,
    consistency,
    side_bias,
    strengths,
)

NEW, OLD = "state-0001", "state-0000"
PAIR = Task(id="p0", kind="pair", image="a", left=NEW, right=OLD)
AGAIN = Task(id="p0r", kind="pair", image="a", left=OLD, right=NEW, repeat_of="p0")
OTHER = Task(id="p1", kind="pair", image="b", left=OLD, right=NEW)
MARK = Task(id="m0", kind="rating", image="a", left=NEW)
TASKS = {task.id: task for task in (PAIR, AGAIN, OTHER, MARK)}


def said(task: str, verdict: Verdict | None, rater: str = "ann") -> Judgement:
    return Judgement(task=task, rater=rater, verdict=verdict)


def test_answers_name_the_side_that_won() -> None:
    assert comparisons_of(TASKS, [said("p0", "left"), said("p1", "left"), said("p1", "tie", "bob")]) == (
        Comparison(NEW, OLD),
        Comparison(OLD, NEW),
        Comparison(OLD, NEW, tie=True),
    )


def test_what_chooses_no_side_of_a_known_pair_is_left_out() -> None:
    answers = [said("nowhere", "left"), said("p0", None), Judgement(task="m0", rater="ann", rating=4)]
    assert comparisons_of(TASKS, answers) == ()


def test_the_first_of_doubled_answers_counts() -> None:
    assert comparisons_of(TASKS, [said("p0", "left"), said("p0", "right"), said("p0", "right")]) == (
        Comparison(NEW, OLD),
    )


def test_a_repeated_pair_is_one_comparison() -> None:
    alike = comparisons_of(TASKS, [said("p0", "left"), said("p0r", "right")])
    assert alike == (Comparison(NEW, OLD, weight=0.5), Comparison(NEW, OLD, weight=0.5))
    opposite = comparisons_of(TASKS, [said("p0", "left"), said("p0r", "left")])
    assert strengths(opposite, OLD)[NEW].value == pytest.approx(0, abs=1e-9)
    assert comparisons_of(TASKS, [said("p0r", "right")]) == (Comparison(NEW, OLD),)


def test_two_people_are_two_comparisons_unless_images_are_counted() -> None:
    answers = [said("p0", "left"), said("p0r", "right"), said("p0", "left", "bob")]
    assert [c.weight for c in comparisons_of(TASKS, answers)] == [0.5, 0.5, 1.0]
    assert [c.weight for c in comparisons_of(TASKS, answers, by_image=True)] == [0.25, 0.25, 0.5]


@pytest.mark.parametrize(
    ("first", "second", "agreed", "reversed_"),
    [("left", "right", 1, 0), ("left", "left", 0, 1), ("tie", "tie", 1, 0), ("tie", "left", 0, 0)],
)
def test_consistency_compares_sides_not_hands(first: Verdict, second: Verdict, agreed: int, reversed_: int) -> None:
    found = consistency(TASKS, [said("p0", first), said("p0r", second)])
    assert (found.repeated, found.agreed, found.reversed) == (1, agreed, reversed_)
    assert found.share == agreed


def test_consistency_is_within_a_person_and_in_any_order() -> None:
    crossed = [said("p0", "left", "ann"), said("p0r", "right", "bob")]
    assert consistency(TASKS, crossed).repeated == 0
    assert consistency(TASKS, crossed).share is None
    late = [said("p0r", "right"), said("p0", "left"), said("p0", "tie", "bob"), said("p0r", "left", "bob")]
    assert consistency(TASKS, late).agreed == 1
    assert consistency(TASKS, late, "bob").agreed == 0
    assert consistency(TASKS, late, "bob").repeated == 1


def test_agreement_is_between_people() -> None:
    answers = [
        said("p0", "left", "ann"), said("p0r", "tie", "ann"), said("p0r", "right", "bob"), said("p0", "tie", "cy"),
        said("p1", "left", "ann"),
    ]  # fmt: skip
    found = agreement(TASKS, answers)
    assert (found.compared, found.agreed) == (3, 1)
    assert agreement(TASKS, answers[:2]).share is None


def test_side_bias_counts_hands_and_leaves_ties_out() -> None:
    tasks = {f"p{i}": PAIR.model_copy(update={"id": f"p{i}"}) for i in range(20)}
    answers = [said(task, "left") for task in tasks]
    found = side_bias(tasks, [*answers[:18], said("p18", "right"), said("p19", "tie")])
    assert (found.left, found.decided, found.share) == (18, 19, pytest.approx(18 / 19))
    assert found.clear
    assert found.low == pytest.approx(0.7536, abs=1e-3)
    nothing = side_bias(tasks, [])
    assert (nothing.share, nothing.low, nothing.high, nothing.clear) == (None, 0, 1, False)


def test_counts_by_person() -> None:
    answers = [said("p0", "left", "bob"), said("p0", "left", "ann"), said("p1", "tie", "ann"), said("p1", "tie", "ann")]
    assert answers_by_rater(answers) == {"ann": 2, "bob": 1}
    assert list(answers_by_rater(answers)) == ["ann", "bob"]
