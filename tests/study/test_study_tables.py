"""What a study's tables say: who is compared with whom, over which seeds, and what may be claimed."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from outcomes import IMAGES, PRIMARY, outcome, scored, without_hard_images

from lossagent.feedback import Feedback
from lossagent.goal import Constraint, Goal, Target
from lossagent.study.comparisons import against, on_test_set, p_words
from lossagent.study.complete import complete, mean_of
from lossagent.study.figures import figures_of
from lossagent.study.figures.anytime import beside_fixed, best_so_far
from lossagent.study.figures.canvas import styles_of
from lossagent.study.figures.traded import common_seeds
from lossagent.study.figures.weights import ratios
from lossagent.study.outcome import Outcome
from lossagent.study.primary import Verdict, interval_words, judge
from lossagent.study.results import Results, at_depth
from lossagent.study.settings import Primary
from lossagent.study.tables import sections_of
from lossagent.study.tables.cells import Cell, Table
from lossagent.study.tables.costs import cost_table
from lossagent.study.tables.fairness import budget_table, depth_table
from lossagent.study.tables.limits import limit_table
from lossagent.study.tables.ranks import ranks_of
from lossagent.study.tables.scores import cross_table, gaming, rules, score_table
from lossagent.study.tuned import selection_rank, tuned, with_tuned
from lossagent.weights import Weights

ARM_SEEDS = {"fixed": 10, "tuned-fixed": 10, "respond": 10, "random": 5}
GAINS = {"fixed": 0.5, "tuned-fixed": 0.9, "respond": 1.3, "random": 0.45}


def results(
    runs: Mapping[str, Sequence[Outcome]] | None = None, primary: Mapping[str, Any] | None = None, **more: Any
) -> Results:
    if runs is None:
        runs = {a: [outcome(a, s, GAINS[a]) for s in range(n)] for a, n in ARM_SEEDS.items()}
    return Results(
        "test",
        {"niqe": {arm: {one.seed: one for one in several} for arm, several in runs.items()}},
        {"niqe": {arm: tuple(one.seed for one in several) for arm, several in runs.items()}},
        ("tuned-fixed",),
        primary=Primary.model_validate(primary) if primary else None,
        **more,
    )


def even(arm: str, gains: Sequence[float], **more: Any) -> list[Outcome]:
    """Runs whose test scores are 7.05 less the gain, to the digit."""
    return [with_niqe(outcome(arm, seed, noise=0.0, **more), 7.05 - gain) for seed, gain in enumerate(gains)]


def with_niqe(one: Outcome, niqe: float, **others: float) -> Outcome:
    """The same run with other scores of its selected state on every test set."""
    kept = Feedback(scores={m: dict.fromkeys(IMAGES, float(v)) for m, v in {"niqe": niqe, **others}.items()})
    base = {m: s for m, s in next(iter(one.tests.values()))["selected"].scores.items() if m not in kept.scores}
    whole = Feedback(scores={**kept.scores, **base})
    return one.model_copy(update={"tests": {n: {**rows, "selected": whole} for n, rows in one.tests.items()}})


def row(table: Table, label: str) -> tuple[Cell, ...]:
    return next(r.cells for r in table.rows if r.label == label)


# --- comparisons


def test_differences_are_paired_by_seed_and_take_common_seeds_only() -> None:
    found = against({"a": {0: 5.0, 1: 6.0, 7: 9.0}}, {0: 5.5, 1: 6.1, 2: 1.0}, "fixed", "lower", "t")["a"]
    assert found.seeds == (0, 1)
    assert found.test.mean == pytest.approx(-0.3)


@pytest.mark.parametrize(("direction", "verdict"), [("lower", "better"), ("higher", "worse")])
def test_direction_decides_what_is_better(direction: Any, verdict: str) -> None:
    values = {seed: 5.0 - 0.01 * seed for seed in range(10)}
    found = against(
        {"a": values}, {s: v + 0.5 + 0.001 * s for s, v in values.items()}, "fixed", direction, "permutation"
    )
    assert found["a"].verdict == verdict


def test_five_seeds_show_nothing_however_large_the_difference() -> None:
    found = on_test_set(results(), "niqe", "BSD100", "niqe")
    one = found["tuned-fixed"]["random"]
    assert one.interval.method == "t"
    assert one.interval.low > 0
    assert one.verdict == "none"
    assert one.out_of_reach
    assert found["tuned-fixed"]["respond"].verdict == "better"
    assert any("5 seeds cannot reach p < .05" in rule for rule in rules(results(), "niqe"))


def other_images(one: Outcome) -> Outcome:
    """The same run on test images of other names, whose scores are higher by one."""
    tests = {
        name: {
            row: Feedback(scores={m: {f"other {i}": v + 1 for i, v in s.items() if v} for m, s in f.scores.items()})
            for row, f in rows.items()
        }
        for name, rows in one.tests.items()
    }
    return one.model_copy(update={"tests": tests})


def test_test_images_of_a_seeds_own_are_said_and_count_once_a_seed() -> None:
    same = results()
    assert same.sets_by_seed("niqe") == ()
    assert any("The images are the same throughout" in rule for rule in rules(same, "niqe"))
    runs = [outcome("fixed", 0), outcome("a", 0), outcome("a", 1)]
    changed = [one if one.seed == 0 else other_images(one) for one in runs]
    own = results({"fixed": changed[:1], "a": changed[1:]})
    assert own.sets_by_seed("niqe") == own.sets("niqe") == ("BSD100", "Urban100")
    assert any("Each seed has test images of its own" in rule for rule in rules(own, "niqe"))
    both = [
        one.model_copy(update={"tests": {**one.tests, "Urban100": before.tests["Urban100"]}})
        for one, before in zip(changed, runs, strict=True)
    ]
    mixed = results({"fixed": both[:1], "a": both[1:]})
    assert mixed.sets_by_seed("niqe") == ("BSD100",)
    (said,) = (rule for rule in rules(mixed, "niqe") if "images of BSD100 of its own" in rule)
    assert "The images of Urban100 are the same throughout" in said
    starts = [mean_of(one, "BSD100", "start", "niqe") for one in (changed[0], changed[2])]
    beside = row(score_table(own, "niqe", "BSD100", "niqe"), "untouched start")[1].value
    assert beside == pytest.approx(sum(v for v in starts if v is not None) / 2)


def test_p_is_corrected_over_the_arms_of_a_column() -> None:
    values = {arm: {s: 5.0 + 0.01 * s for s in range(6)} for arm in ("a", "b")}
    found = against(values, {s: 5.5 + 0.02 * s for s in range(6)}, "fixed", "lower", "permutation")
    assert found["a"].test.p == 2 / 64
    assert found["a"].corrected == 4 / 64
    assert found["a"].verdict == "none"


@pytest.mark.parametrize(("arms", "seeds"), [(1, 5), (2, 6), (4, 7)])
def test_so_few_seeds_are_out_of_reach_among_so_many_arms(arms: int, seeds: int) -> None:
    far = {f"arm{i}": even(f"arm{i}", [2.0 + i + 0.01 * s for s in range(seeds)]) for i in range(arms)}
    found = results({"fixed": even("fixed", [0.5] * seeds), **far})
    one = on_test_set(found, "niqe", "BSD100", "niqe")["fixed"]["arm0"]
    assert one.corrected == arms * 2.0 ** (1 - seeds) > 0.05
    assert one.out_of_reach
    among = f" among {arms} arms" if arms > 1 else ""
    said = [rule for rule in rules(found, "niqe") if "cannot reach" in rule]
    assert said[0].startswith(f"{seeds} seeds cannot reach p < .05 in a sign-flip test{among}, however large")
    assert said[0].endswith(f"{one.corrected:.4f}): {seeds + 1} or more can.")
    enough = {f"arm{i}": even(f"arm{i}", [2.0 + i + 0.01 * s for s in range(seeds + 1)]) for i in range(arms)}
    more = results({"fixed": even("fixed", [0.5] * (seeds + 1)), **enough})
    assert not any("cannot reach" in rule for rule in rules(more, "niqe"))


def test_an_arm_that_shows_a_difference_is_never_called_out_of_reach() -> None:
    # Holm multiplies the largest p by one: six seeds beside arms of ten.
    far = {a: even(a, [2.0 + 0.01 * s for s in range(n)]) for a, n in {"a": 10, "b": 10, "few": 6}.items()}
    found = on_test_set(results({"fixed": even("fixed", [0.5] * 10), **far}), "niqe", "BSD100", "niqe")["fixed"]["few"]
    assert (found.verdict, found.out_of_reach) == ("better", False)


def test_p_is_printed_so_that_its_side_of_a_twentieth_is_seen() -> None:
    assert [p_words(p) for p in (0.0496, 0.0504, 0.04996, 0.05, 0.031, 0.0562)] == [
        "p = 0.0496", "p = 0.0504", "p = 0.04996", "p = 0.0500", "p = 0.031", "p = 0.056",
    ]  # fmt: skip


# --- scores that lack images


def test_a_mean_over_the_easy_images_is_no_score() -> None:
    runs = {a: [outcome(a, s, 0.5, noise=0.02) for s in range(8)] for a in ("fixed", "tuned-fixed", "respond")}
    assert verdict_of(runs, guards=[]).kind == "no difference"
    runs["respond"] = [without_hard_images(one) for one in runs["respond"]]
    assert results(runs).scores("niqe", "respond", "BSD100", "selected", "niqe") == {}
    assert len(results(runs).scores("niqe", "respond", "BSD100", "selected", "psnr_y")) == 8
    found = verdict_of(runs, guards=[])
    assert found.kind == "not decidable"
    assert "3 of the 6 images" in found.caveats[0]


def test_a_guard_over_the_easy_images_is_not_kept() -> None:
    runs = {a: even(a, [g + 0.01 * s for s in range(8)]) for a, g in GAINS.items()}
    guards = [{"metric": "psnr_y", "at_least": 20.0}]
    assert verdict_of(runs, guards=guards).kind == "better"
    runs["respond"][3] = without_hard_images(runs["respond"][3], "psnr_y")
    found = verdict_of(runs, guards=guards)
    assert found.sentence == "Not decidable: guard psnr_y ≥ 20 is broken by respond (was not measured)."
    assert found.caveats[0].startswith("psnr_y of respond on BSD100 (selected) counts as missing in seed 3: 3 of the 6")


def test_a_full_run_is_not_chosen_for_the_images_that_it_lacks() -> None:
    near = outcome("fixed", 0, 0.5, noise=0.0)
    far = without_hard_images(outcome("fixed@far", 0, 0.45, noise=0.0))
    # Over its easy images alone the second would be ahead.
    assert (far.selection[far.selected].mean("niqe") or 9.0) < (near.selection[near.selected].mean("niqe") or 0.0)
    assert selection_rank(far, far.goal, None) < selection_rank(near, near.goal, None)  # pyright: ignore[reportOperatorIssue]
    assert tuned({"fixed": {0: near}, "fixed@far": {0: far}}, "best")[0].rule.endswith(": fixed")


def test_means_are_over_the_images_that_the_start_has_a_score_of() -> None:
    start = Feedback(scores={"niqe": {"a": 7.0, "b": None}})
    own = Feedback(scores={"niqe": {"a": 6.0, "b": 9.0}, "distance": {"a": 1.0}})
    assert complete(own, start).means() == {"niqe": 6.0, "distance": 1.0}
    assert complete(Feedback(scores={"niqe": {"b": 5.0}}), start).mean("niqe") is None


# --- the derived arm


def test_the_best_of_full_runs_is_chosen_on_the_selection_set_and_costs_all_of_them() -> None:
    arms = {
        "fixed": {0: outcome("fixed", 0, 0.2), 1: outcome("fixed", 1, 1.5)},
        "fixed@gan": {0: outcome("fixed@gan", 0, 1.0), 1: outcome("fixed@gan", 1, 0.3)},
        "respond": {0: outcome("respond", 0, 3.0)},
    }
    # Test scores that disagree with the selection set change nothing.
    arms["fixed"][0] = with_niqe(arms["fixed"][0], 1.0)
    found = tuned(arms, "tuned-fixed (2x)")
    assert [one.rule.rsplit(": ", 1)[1] for one in found.values()] == ["fixed@gan", "fixed"]
    assert {one.arm for one in found.values()} == {"tuned-fixed (2x)"}
    assert found[0].cost.iterations == 2000
    assert found[0].cost.wall_seconds == 410.0
    assert found[0].tests == arms["fixed@gan"][0].tests


def test_a_seed_that_one_full_run_lacks_is_left_out() -> None:
    arms = {"fixed": {s: outcome("fixed", s) for s in (0, 1)}, "fixed@gan": {1: outcome("fixed@gan", 1, 0.1)}}
    assert list(tuned(arms, "best")) == [1]
    no_selection = {a: {s: o.model_copy(update={"selection": {}}) for s, o in r.items()} for a, r in arms.items()}
    assert tuned(no_selection, "best") == {}


def test_feasible_full_runs_go_before_better_ones() -> None:
    limit = Constraint(metric="psnr_y", at_least=-0.2, relative_to="fixed")
    limited = Goal(targets=(Target(metric="niqe", direction="lower", unit=0.1),), constraints=(limit,))
    free = limited.model_copy(update={"constraints": ()})
    runs = {
        "fixed": outcome("fixed", 0, 0.2, goal=free, noise=0.0),
        "fixed@far": outcome("fixed@far", 0, 2.0, goal=limited, noise=0.0),
        "fixed@near": outcome("fixed@near", 0, 0.7, goal=limited, noise=0.0),
    }
    # 2.0 - 0.2 of NIQE costs 0.45 dB against fixed, more than the limit; 0.7 costs 0.125.
    found = tuned({arm: {0: one} for arm, one in runs.items()}, "best")
    assert found[0].rule.endswith(": fixed@near")


def test_the_derived_arm_stands_beside_the_sweep() -> None:
    runs = {a: even(a, [g] * 3) for a, g in {**GAINS, "fixed@gan": 0.7}.items()}
    found = with_tuned(results(runs, best_of_full="tuned-fixed (2x)"))
    assert found.arms("niqe") == ("fixed", "tuned-fixed", "tuned-fixed (2x)", "respond", "random")
    assert found.references("niqe") == ("fixed", "tuned-fixed", "tuned-fixed (2x)")
    assert found.planned["niqe"]["tuned-fixed (2x)"] == (0, 1, 2)
    assert found.full("niqe") == ("fixed@gan",)


# --- tables


def test_a_score_table_has_every_arm_and_the_rows_beside_them() -> None:
    table = score_table(results(), "niqe", "BSD100", "niqe")
    assert [r.label for r in table.rows[:3]] == ["untouched start", "ground truth", "correlated-noise control"]
    assert [c[0] for c in table.columns] == ["seeds", "selected", "last", "vs fixed", "vs tuned-fixed"]
    respond = row(table, "respond")
    assert respond[0].text == "10"
    assert respond[3].mark == "better"
    assert respond[3].note.startswith("[−")
    random = row(table, "random")
    assert random[3].mark == "none"
    assert random[4].note.endswith(" t")
    assert row(table, "fixed")[3].text == "–"


def test_fewer_common_seeds_are_said() -> None:
    runs = {"fixed": even("fixed", [0.5] * 3), "respond": even("respond", [0.6] * 8)}
    assert row(score_table(results(runs), "niqe", "BSD100", "niqe"), "respond")[3].note.endswith("n = 3")


def test_scores_that_a_metric_gives_for_nothing_are_named() -> None:
    runs = {"fixed": even("fixed", [0.5] * 2), "far": even("far", [3.2] * 2)}
    found = results(runs)
    words = gaming(found, "niqe", "BSD100", found.facts("niqe")["niqe"])
    # The ground truth scores 4.10, the start with noise on it 6.05.
    assert "Beyond the ground truth's own score, an alarm: far." in words
    assert "alone scores better than fixed:" in words


def test_every_metric_of_a_set_is_in_the_cross_table() -> None:
    table = cross_table(results(), "niqe", "Urban100")
    assert [c for c, _ in table.columns] == ["seeds", "niqe ↓", "psnr_y ↑", "perceptual_distance ↓", "lattice_peak ↓"]
    assert row(table, "respond")[1].note.endswith("to fixed")
    assert [cell.text for cell in row(table, "ground truth")] == ["", "4.30", "–", "–", "–"]


def test_the_cross_table_says_over_how_many_seeds() -> None:
    runs = {"fixed": even("fixed", [0.5] * 3), "respond": even("respond", [0.6] * 8)}
    runs["respond"][7] = without_hard_images(runs["respond"][7])
    seeds, niqe, psnr = row(cross_table(results(runs), "niqe", "BSD100"), "respond")[:3]
    assert seeds.text == "8"
    assert niqe.note == "n = 7; −0.100 to fixed (n = 3)"
    assert psnr.note.endswith("to fixed (n = 3)")
    assert "n = 7" not in psnr.note


def test_a_fixed_run_stands_at_the_same_depth() -> None:
    one = outcome("fixed", 0, noise=0.0)
    shallow = at_depth(one, 3)
    assert shallow is not None
    assert shallow.mean("niqe") == one.selection[3].mean("niqe")
    assert at_depth(one, 11) is None
    chosen = outcome("respond", 0, 1.3, noise=0.0).model_copy(update={"selected": 4})
    table = depth_table(results({"fixed": [one], "respond": [chosen]}), "niqe", "niqe")
    assert table is not None
    depth, own, fixed, difference = row(table, "respond")
    assert depth.value == 4
    expected = [o.selection[4].mean("niqe") for o in (chosen, one)]
    assert (own.value, fixed.value) == pytest.approx(tuple(expected))
    assert difference.note == "no interval from one seed"
    assert difference.mark == ""


def test_unequal_budgets_and_candidates_are_flagged() -> None:
    assert "the same number of candidates" in budget_table(results(), "niqe").notes[0]
    short = outcome("look", 0, stages=6)
    notes = budget_table(results({"fixed": [outcome("fixed", 0)], "look": [short]}), "niqe").notes
    assert notes == (
        "look trained 600 iterations where others have 1,000.",
        "look had 7 candidates for selection where others have 11.",
    )


def test_limits_are_counted_with_wilsons_interval() -> None:
    keeps = [with_niqe(one, 6.0, psnr_y=27.0) for one in even("a", [1.0] * 3)]
    breaks = [with_niqe(one, 6.0, psnr_y=26.9) for one in even("b", [1.0] * 3)]
    table = limit_table(results({"a": keeps, "b": breaks}), "niqe")
    assert table is not None
    # psnr_y may fall by 0.6 from 27.53.
    assert table.columns[1] == ("psnr_y ≥ start − 0.6", "BSD100")
    assert (row(table, "a")[1].text, row(table, "a")[1].mark) == ("3 of 3", "")
    assert (row(table, "b")[1].text, row(table, "b")[1].note, row(table, "b")[1].mark) == (
        "0 of 3",
        "[0.00, 0.56]",
        "broken",
    )


def test_ranks_by_hand() -> None:
    runs = {
        "fixed": even("fixed", [0.5, 0.5]),
        "good": even("good", [0.9, 0.4]),
        "tied": even("tied", [0.5, 0.3, 0.9]),
        # The best score, but PSNR fell by 1 dB where 0.6 are allowed.
        "broken": [with_niqe(one, 4.5, psnr_y=26.5) for one in even("broken", [1.0, 1.0])],
    }
    found = ranks_of(results(runs), "niqe")
    assert found is not None
    assert found.seeds == (0, 1)
    assert dict(zip(found.arms, found.mean, strict=True)) == {"fixed": 1.75, "good": 1.5, "tied": 2.75, "broken": 4.0}
    assert math.isinf(found.low[0])
    assert ranks_of(results({"fixed": runs["fixed"]}), "niqe") is None


def test_costs_are_means_of_a_run() -> None:
    table = cost_table(results({"llm": [outcome("llm", 0)], "fixed": [outcome("fixed", 0)]}), "niqe")
    assert [cell.text for cell in row(table, "llm")] == [
        "1,000", "2 min 40 s", "31 s", "1 min 25 s", "5 min 01 s", "10", "9,000", "700",
    ]  # fmt: skip
    assert row(table, "fixed")[3].text == "0"


def test_simulated_tables_say_so() -> None:
    sections = sections_of(results(simulated=True), "niqe")
    assert all(table.title.endswith("(simulated)") for section in sections for table in section.tables)


# --- the primary comparison


def verdict_of(runs: Mapping[str, Sequence[Outcome]] | None = None, planned: int | None = None, **more: Any) -> Verdict:
    found = results(runs, {**PRIMARY, **more})
    if planned is not None:
        found = Results(
            found.name, found.outcomes, {"niqe": dict.fromkeys(found.outcomes["niqe"], tuple(range(planned)))}
        )
    primary = Primary.model_validate({**PRIMARY, **more})
    return judge(found, primary)


def test_better_worse_and_no_difference() -> None:
    better = verdict_of()
    assert (better.kind, better.sentence) == ("better", "respond is better than tuned-fixed.")
    assert better.test is not None
    assert interval_words(better).endswith("p = 0.002, 10 seeds")
    worse = verdict_of(arm="fixed")
    assert (worse.kind, worse.sentence) == ("worse", "fixed is worse than tuned-fixed.")
    tied = {**{a: even(a, [0.5] * 8) for a in ("fixed",)}, "tuned-fixed": even("tuned-fixed", [0.4, 0.6] * 4)}
    tied["respond"] = even("respond", [0.6, 0.4] * 4)
    assert verdict_of(tied).sentence == "No difference shown between respond and tuned-fixed."


def test_nothing_is_concluded_before_every_seed_is_there() -> None:
    found = verdict_of(planned=12)
    assert (found.kind, found.sentence) == ("not finished", "Not finished: 10 of 12 seeds.")


def test_the_arm_ahead_has_to_keep_its_guards() -> None:
    runs = {a: even(a, [g + 0.01 * s for s in range(8)]) for a, g in GAINS.items()}
    runs["respond"] = [with_niqe(o, 7.05 - 1.3 - 0.02 * o.seed, psnr_y=26.0) for o in runs["respond"]]
    broken = verdict_of(runs)
    assert broken.kind == "not decidable"
    assert broken.sentence.startswith("Not decidable: guard psnr_y ≥ fixed − 0.3 is broken by respond (26.000 where")
    # Where the arm is behind, its own guards decide nothing.
    behind = {**runs, "respond": [with_niqe(o, 7.05 + 0.01 * o.seed, psnr_y=26.0) for o in runs["respond"]]}
    assert verdict_of(behind).kind == "worse"


def test_an_unmeasured_guard_is_not_kept() -> None:
    guards = [{"metric": "sharpness", "at_least": 0.1}]
    found = verdict_of(guards=guards)
    assert found.sentence == "Not decidable: guard sharpness ≥ 0.1 is broken by respond (was not measured)."


def test_more_candidates_decide_nothing() -> None:
    runs = {a: even(a, [g + 0.01 * s for s in range(8)]) for a, g in GAINS.items()}
    runs["respond"] = even("respond", [1.3 + 0.02 * s for s in range(8)], stages=12)
    assert verdict_of(runs).sentence == ("Not decidable: respond had more candidates for selection than the other arm.")


def test_more_candidates_on_either_side_are_seen() -> None:
    runs = {
        a: even(a, [g + 0.01 * s for s in range(8)]) for a, g in {**GAINS, "tuned-fixed": 1.5, "respond": 0.9}.items()
    }
    # respond has more in one seed, tuned-fixed, which is ahead, in all the others.
    runs["respond"][0] = even("respond", [0.9], stages=12)[0]
    runs["tuned-fixed"][1:] = even("tuned-fixed", [1.5 + 0.01 * s for s in range(8)], stages=14)[1:]
    assert verdict_of(runs, guards=[]).sentence == (
        "Not decidable: tuned-fixed had more candidates for selection than the other arm."
    )


def test_a_missing_score_is_no_seed_left_out() -> None:
    runs = {a: [outcome(a, s, GAINS[a]) for s in range(8)] for a in GAINS}
    empty = {n: {**rows, "selected": Feedback()} for n, rows in runs["respond"][3].tests.items()}
    runs["respond"][3] = runs["respond"][3].model_copy(update={"tests": empty})
    assert verdict_of(runs, guards=[]).sentence == "Not decidable: no score of niqe in seed 3."


def test_a_t_test_may_be_registered_instead() -> None:
    runs = {a: [outcome(a, s, GAINS[a]) for s in range(5)] for a in GAINS}
    assert verdict_of(runs).kind == "no difference"
    assert "5 seeds cannot reach p < .05" in verdict_of(runs).caveats[0]
    assert verdict_of(runs, test="t").kind == "better"


def test_seeds_added_after_the_registration_are_said() -> None:
    primary = Primary.model_validate(PRIMARY)
    found = judge(results(primary=PRIMARY), primary, ("arm other", "respond: seeds 8, 9", "random: seeds 5"))
    assert [c.split(". ")[0] for c in found.caveats] == ["Added after the registration: respond: seeds 8, 9"]


def test_seeds_added_to_full_runs_are_said_of_the_best_of_them() -> None:
    runs = {a: even(a, [g] * 3) for a, g in {**GAINS, "fixed@low": 0.7}.items()}
    found = with_tuned(results(runs, best_of_full="tuned-fixed (2x)"))
    added = ("fixed: seeds 5", "fixed@low: seeds 5", "random: seeds 5")
    late = [c for c in judge(found, derived(), added).caveats if c.startswith("Added after")]
    assert [c.split(". ")[0].rsplit(": ", 2)[1] for c in late] == ["fixed", "fixed@low"]
    assert not [c for c in judge(found, Primary.model_validate(PRIMARY), added).caveats if c.startswith("Added after")]


def derived() -> Primary:
    return Primary.model_validate({**PRIMARY, "guards": [], "against": "tuned-fixed (2x)"})


def test_a_limit_relative_to_fixed_is_one_limit_everywhere() -> None:
    """The fixed run's selected state scores 28 dB, its last 26; an arm of 27 dB breaks fixed - 0.3 wherever it is."""
    limit = Constraint(metric="psnr_y", at_least=-0.3, relative_to="fixed")
    goal = Goal(targets=(Target(metric="niqe", direction="lower", unit=0.1),), constraints=(limit,))
    runs = {a: [outcome(a, s, g, goal=goal) for s in range(8)] for a, g in GAINS.items()}
    at = {"fixed": 28.0}
    runs = {a: [with_psnr(one, at.get(a, 27.0), 26.0) for one in several] for a, several in runs.items()}
    found = verdict_of(runs, guards=[{"metric": "psnr_y", "at_least": -0.3, "relative_to": "fixed"}])
    assert [guard.seeds for guard in found.guards] == [0, 0]
    table = limit_table(results(runs), "niqe")
    assert table is not None
    assert [c.text for c in row(table, "respond")][1:] == ["0 of 8", "0 of 8"]
    ranks = ranks_of(results(runs), "niqe")
    assert ranks is not None
    assert ranks.mean[ranks.arms.index("fixed")] == 1.0


def with_psnr(one: Outcome, selected: float, last: float) -> Outcome:
    tests = {
        name: {**rows, **{row: constant(rows[row], value) for row, value in (("selected", selected), ("last", last))}}
        for name, rows in one.tests.items()
    }
    return one.model_copy(update={"tests": tests})


def constant(feedback: Feedback, value: float) -> Feedback:
    return feedback.model_copy(update={"scores": {**feedback.scores, "psnr_y": dict.fromkeys(IMAGES, value)}})


# --- figures


def test_figures_compare_over_the_same_seeds_and_say_how_many(tmp_path: Path) -> None:
    found = results({"fixed": even("fixed", [0.5] * 3), "respond": even("respond", [0.6] * 8)})
    figures = figures_of(tmp_path, found, "niqe", styles_of(found.arms("niqe")))
    course, traded, forest = figures["course"][0], figures["metrics"][0], figures["scores"][0]
    assert course.title.endswith("thin: fixed, same seeds")
    assert course.alt.count("over 3 seeds") == 2
    assert traded.title.endswith("means over the 3 seeds that every arm has")
    assert "respond −0.100 (n = 3)" in forest.alt


def test_the_fixed_line_is_of_the_seeds_of_the_arm() -> None:
    fixed = {s: [(0, float(s))] for s in range(4)}
    assert beside_fixed({1: [(0, 5.0)], 9: [(0, 7.0)]}, fixed) == ([[(0, 5.0)]], [[(0, 1.0)]])
    assert beside_fixed({9: [(0, 7.0)]}, fixed) == ([[(0, 7.0)]], [])
    assert common_seeds([{1: 0, 2: 0}, {2: 0, 3: 0}]) == (2,)


def test_the_best_so_far_is_what_selection_would_keep() -> None:
    one = outcome("respond", 0, stages=3)
    jumpy = {0: scored(0.0), 1: scored(0.5), 2: scored(0.2), 3: scored(0.9)}
    found = best_so_far(one.model_copy(update={"selection": jumpy}), None, "niqe")
    assert [x for x, _ in found] == [0, 100, 200, 300]
    assert [y for _, y in found] == pytest.approx([7.05, 6.55, 6.55, 6.15])


def test_a_loss_that_is_off_has_no_ratio() -> None:
    one = outcome("respond", 0, stages=2)
    decision = one.states[2].decision
    assert decision is not None
    off = decision.model_copy(update={"weights": Weights.of({"l1": 2.0, "perceptual": 0.5, "gan": 0.0})})
    states = (*one.states[:2], one.states[2].model_copy(update={"decision": off}))
    changed = one.model_copy(update={"states": states})
    assert ratios(changed, "perceptual", "l1") == pytest.approx([0.1, 0.25])
    assert math.isnan(ratios(changed, "gan", "l1")[1])


def test_twelve_arms_are_told_apart() -> None:
    arms = ["fixed", *(f"arm{i}" for i in range(15))]
    styles = styles_of(arms)
    assert len({(s.colour, s.marker) for s in styles.values()}) == len(arms)
    assert [s.label for s in styles.values()] == arms
    assert sum(s.colour == styles["fixed"].colour for s in styles.values()) == 1
