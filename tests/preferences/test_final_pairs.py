"""Planning of pairs, and the last word of a run."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

import pytest

from lossagent.judgements import Judgement, Task, Verdict
from lossagent.preferences import chosen_images, final_pairs, final_result, repeated, shuffled_pairs, wording
from lossagent.preferences.final import FinalResult, sign_test

SIDES = {"selected": "Set14/selected", "start": "Set14/start", "fixed": "Set14/fixed"}
NAMES = [f"image{i}" for i in range(8)]


def pairs(count: int, seed: int) -> tuple[Task, ...]:
    return shuffled_pairs([(name, "new", "old") for name in NAMES[:count]], "state-0004", seed)


def test_order_and_sides_follow_from_the_seed_alone() -> None:
    assert pairs(8, 3) == pairs(8, 3)
    assert len({tuple((t.image, t.left) for t in pairs(8, seed)) for seed in range(20)}) == 20
    assert sorted(t.image for t in pairs(8, 3)) == NAMES


def test_sides_are_balanced_within_chance() -> None:
    left = Counter((t.image, t.left) for seed in range(600) for t in pairs(8, seed))
    for name in NAMES:
        assert abs(left[name, "new"] - 300) < 4.5 * 12.3  # standard deviation of 600 coins
    first = Counter(pairs(8, seed)[0].image for seed in range(600))
    assert min(first.values()) > 40


def test_ids_tell_neither_side_nor_image() -> None:
    assert [t.id for t in pairs(3, 1)] == ["state-0004-000", "state-0004-001", "state-0004-002"]
    ids = {t.id for t in final_pairs(SIDES, NAMES, 0)}
    assert not any(word in task for task in ids for word in ("selected", "start", "fixed", "image"))


@pytest.mark.parametrize(
    ("count", "share", "wanted"), [(3, 0.15, 0), (4, 0.15, 1), (8, 0.0, 0), (8, 0.25, 2), (8, 1.0, 8)]
)
def test_repetitions_come_last_with_sides_swapped(count: int, share: float, wanted: int) -> None:
    asked = repeated(pairs(count, 5), share, 5)
    originals, again = asked[:count], asked[count:]
    assert originals == pairs(count, 5)
    assert len(again) == wanted
    known = {t.id: t for t in originals}
    for task in again:
        first = known[task.repeat_of or ""]
        assert (task.image, task.left, task.right) == (first.image, first.right, first.left)
        assert asked.index(task) - asked.index(first) > 1
    assert len({t.id for t in asked}) == len(asked)


def test_people_see_the_same_images_each_time() -> None:
    seen = chosen_images(NAMES, 3, 7)
    assert len(seen) == 3
    assert seen == chosen_images(list(NAMES), 3, 7)
    assert list(seen) == sorted(seen)
    assert chosen_images(NAMES, None, 7) == tuple(NAMES) == chosen_images(NAMES, 50, 7)
    assert len({chosen_images(NAMES, 3, seed) for seed in range(30)}) > 5


def test_final_pairs_set_the_selected_state_against_each_other_one() -> None:
    asked = final_pairs(SIDES, NAMES, 0)
    assert len(asked) == 16
    assert all(SIDES["selected"] in (t.left, t.right) for t in asked)
    assert Counter(t.image for t in asked) == dict.fromkeys(NAMES, 2)
    assert len(final_pairs({"selected": "s/selected", "start": "s/start"}, NAMES, 0)) == 8
    assert final_pairs({"selected": "s/start", "start": "s/start"}, NAMES, 0) == ()


def answered(rule: Callable[[Task, int], str], images: int = 8, raters: int = 1) -> tuple[FinalResult, ...]:
    """Final results where ``rule`` gives the side that a person chooses, "" for neither."""
    tasks = {t.id: t for t in final_pairs(SIDES, NAMES[:images], 0)}
    judgements: list[Judgement] = []
    for task in tasks.values():
        for person in range(raters):
            side = rule(task, person)
            verdict: Verdict = "tie" if side == "" else "left" if side == task.left else "right"
            judgements.append(Judgement(task=task.id, rater=f"r{person}", verdict=verdict))
    return final_result(SIDES, tasks, judgements)


def test_better_is_said_only_beyond_chance() -> None:
    start, fixed = answered(lambda task, person: SIDES["selected"] if SIDES["start"] in (task.left, task.right) else "")
    assert (start.against, start.wins, start.ties, start.losses, start.images) == ("start", 8, 0, 0, 8)
    assert start.outcome == "better"
    assert "better than the start beyond chance" in start.sentence
    assert start.chance == pytest.approx(2 / 2**8)
    assert fixed.outcome == "open"
    assert fixed.chance == 1
    assert "no difference beyond chance" in fixed.sentence


def test_seven_of_eight_is_not_enough() -> None:
    start, _ = answered(lambda task, person: SIDES["start"] if task.image == "image0" else SIDES["selected"])
    assert start.strength is not None
    assert start.strength.low > 0  # the interval alone would have said so
    assert start.chance == pytest.approx(18 / 2**8)
    assert start.outcome == "open"


def test_losing_is_said_as_plainly() -> None:
    start, _ = answered(lambda task, person: task.left if task.right == SIDES["selected"] else task.right or "")
    assert start.outcome == "worse"
    assert "worse than the start" in start.sentence


def test_few_images_claim_nothing_however_many_people_looked() -> None:
    start, _ = answered(lambda task, person: SIDES["selected"], images=5, raters=9)
    assert start.outcome == "too few"
    assert (start.raters, start.wins) == (9, 45)
    assert start.strength is not None
    assert start.strength.comparisons == pytest.approx(5)
    assert "too few images" in start.sentence


def test_unanswered_pairs_are_said() -> None:
    tasks = {t.id: t for t in final_pairs(SIDES, NAMES, 0)}
    results = final_result(SIDES, tasks, [])
    assert [r.outcome for r in results] == ["unanswered", "unanswered"]
    assert "nobody answered any of the 8 blind pairs" in results[0].sentence
    assert final_result(SIDES, {}, []) == ()


@pytest.mark.parametrize(
    ("wins", "losses", "p"), [(6, 0, 1 / 32), (5, 0, 1 / 16), (3, 3, 1.0), (0, 0, 1.0), (1, 7, 18 / 256)]
)
def test_sign_test(wins: int, losses: int, p: float) -> None:
    assert sign_test(wins, losses) == pytest.approx(p)
    assert sign_test(losses, wins) == pytest.approx(p)


def test_own_words_replace_the_usual_ones() -> None:
    assert wording("pair") == "Which image looks better?"
    assert wording("rating", "  Skin? ") == "Skin?"
