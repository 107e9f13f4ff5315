"""The three prompts: the paper's numbers with their pairing, and each ablation."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from agents.kit import GOAL, IMAGES, NIQE, TRAJECTORIES, change_state, grow, line, niqe, seen, weights
from lossagent.agents import LLM, LLMOptions, View
from lossagent.agents.llm import EvidenceOptions
from lossagent.chat.scripted import Scripted
from lossagent.feedback import Feedback, Remark
from lossagent.goal import Constraint, Goal, Target
from lossagent.records import Evidence, StageReport
from lossagent.weights import Bounds

PAPER = LLMOptions.paper()
EVERYTHING = EvidenceOptions.model_validate(True)
NAMES = ("L1", "Perceptual", "GAN")

CASE = """\
Feedback. The initial weights of L1, Perceptual, GAN are 1.0:0.1:0.01. The score of the image before training is \
4.7087. After the first 5000 steps it is 2.9642.
Step 5000 weights: 0.79286:0.20714:0.0575. The score of the image after training with them is 2.5495.
Step 10000 weights: 0.79286:0.1875:0.055. The score of the image after training with them is 2.7706.
Step 15000 weights: 0.78214:0.18393:0.06286. The score of the image after training with them is 2.8586.
Step 20000 weights: 0.72857:0.21786:0.07036. The score of the image after training with them is 2.705."""

NEEDS = """\
From all weights and feedback above, and from what you know about these losses, choose new loss weights for the next \
5000 steps. Follow these rules:
1. Answer with two lines. The first: 'Weights: L1:Perceptual:GAN=?:?:?' (for example: Weights: \
L1:Perceptual:GAN=1.0:0.1:0.01). The second: 'Thoughts: ', then why you chose them.
2. Your ultimate goal is to help the model reach a LOWER score (which means better images).
3. Where the history is not enough to decide, you may change the weights at random by a small amount, up or down."""

SYSTEM = """\
You help people to choose the loss weights of an image restoration model. You will be given the loss weights that \
were used so far, and the feedback of experts on them. The model is trained with one set of weights after the other, \
each for 5000 parameter updates. The list goes back to the beginning of training. The feedback shows how the restored \
images changed with each of them. The score stands for the overall quality of the restored images. A LOWER score \
means better quality. Your ultimate goal is to help the model reach a LOWER score."""


def case_study() -> View:
    """Figure 5: NIQE of one image at 25,000 iterations."""
    stages = [
        ((1.0, 0.1, 0.01), 2.9642),
        ((0.79286, 0.20714, 0.0575), 2.5495),
        ((0.79286, 0.1875, 0.055), 2.7706),
        ((0.78214, 0.18393, 0.06286), 2.8586),
        ((0.72857, 0.21786, 0.07036), 2.705),
    ]
    one = ("sampled",)
    trajectory = grow(
        [(i, weights(*w, names=NAMES), niqe(s, one)) for i, (w, s) in enumerate(stages)],
        start=niqe(4.7087, one),
    )
    return replace(seen(trajectory, Bounds.none()), stage_iterations=5000)


def asked(view: View, options: LLMOptions, image: str | None = None, short: bool = False) -> tuple[str, str]:
    """(system prompt, historical and needs prompts)."""
    messages = LLM(Scripted([]), options).prompts(view, image, short)
    assert [m.role for m in messages] == ["system", "user"]
    return messages[0].content, messages[1].content


def changed(options: LLMOptions, **update: object) -> LLMOptions:
    return LLMOptions.model_validate({**options.model_dump(), **update})


def test_the_papers_case_study_comes_out_with_its_pairing_of_weights_and_scores() -> None:
    system, user = asked(case_study(), PAPER, "sampled")
    assert system == SYSTEM
    assert user == f"{CASE}\n\n{NEEDS}"


def test_a_prompt_is_a_pure_function_of_the_view() -> None:
    for options in (PAPER, LLMOptions()):
        assert asked(case_study(), options) == asked(case_study(), options)


# -- ablations ----------------------------------------------------------------------------------------------

WAY = re.compile(r"lower|higher", re.IGNORECASE)


@pytest.mark.parametrize(
    ("direction", "in_system", "in_user"),
    [("on", True, True), ("system_off", False, True), ("all_off", False, False)],
)
@pytest.mark.parametrize("evidence", [False, True])
@pytest.mark.parametrize("short", [False, True])
def test_the_direction_is_said_only_where_it_is_on(
    direction: str, in_system: bool, in_user: bool, evidence: bool, short: bool
) -> None:
    options = changed(PAPER, direction=direction, evidence=EvidenceOptions.model_validate(evidence).model_dump())
    system, user = asked(case_study(), options, short=short)
    assert bool(WAY.search(system)) == in_system
    assert bool(WAY.search(user)) == in_user
    if direction == "all_off":
        assert not re.search(r"\b(best|worst|worse)\b", system + user)


def test_a_history_of_two_has_two_entries() -> None:
    _, user = asked(case_study(), changed(PAPER, history=2), "sampled")
    told = user.split("\n\n")[0].split("\n")
    assert told[0] == "Feedback. Weights are in the order L1, Perceptual, GAN."
    assert told[1:] == CASE.split("\n")[-2:]
    system, _ = asked(case_study(), changed(PAPER, history=2))
    assert "beginning" not in system


def test_a_short_history_on_a_young_run_is_the_whole_one() -> None:
    view = seen(line(6.0, 5.0))
    assert asked(view, changed(PAPER, history=2))[1] == asked(view, PAPER)[1]


def test_without_an_example_there_is_none() -> None:
    for answer in ("pattern", "json", "moves", "choice"):
        _, user = asked(case_study(), changed(PAPER, answer=answer, example=False))
        assert "or example" not in user
        assert "or example" in asked(case_study(), changed(PAPER, answer=answer))[1]


def test_the_papers_prompts_hold_no_evidence() -> None:
    report = StageReport(evidence=Evidence(raw={"L1": 0.1}, image_norms={"L1": 1.0, "GAN": 3.0}), extra={"d": 1.0})
    view = case_study()
    view = replace(
        view,
        trajectory=change_state(view.trajectory, 5, report=report),
        loss_facts={"L1": "pixel distance"},
        ceiling={"niqe": 4.15},
    )
    view = replace(view, head=view.trajectory.head)
    assert asked(view, PAPER, "sampled") == (SYSTEM, f"{CASE}\n\n{NEEDS}")
    every = changed(PAPER, evidence=dict.fromkeys(EvidenceOptions.model_fields, True))
    system, user = asked(view, every, "sampled")
    assert "L1: pixel distance" in system
    for words in (
        "Raw losses now: L1 0.1",
        "The best stage so far",
        "more than noise",
        "The trainer also measured",
    ):
        assert words in user
    assert "themselves score: niqe 4.15" in user


# -- evidence -----------------------------------------------------------------------------------------------


def test_gradient_shares_are_those_of_the_weights_in_use() -> None:
    report = StageReport(evidence=Evidence(image_norms={"l1": 1.0, "perceptual": 5.0, "gan": 50.0}))
    trajectory = grow([(0, weights(1.0, 0.1, 0.01), niqe(6.0))])
    view = seen(change_state(trajectory, 1, report=report))
    assert "l1 50 %, perceptual 25 %, gan 25 %" in asked(view, LLMOptions())[1]


def test_the_last_change_is_set_against_its_noise() -> None:
    assert "by -1.0000 over 10 images" in asked(seen(line(6.0, 5.0)), LLMOptions())[1]
    assert "clearly better" in asked(seen(line(6.0, 5.0)), LLMOptions())[1]
    assert "clearly worse" in asked(seen(line(5.0, 6.0)), LLMOptions())[1]
    scores = niqe(6.0).scores["niqe"].items()
    mixed = Feedback(scores={"niqe": {n: (v or 0) + (-1) ** i for i, (n, v) in enumerate(scores)}})
    noisy = change_state(line(6.0, 6.0), 2, feedback=mixed)
    assert "no more than noise" in asked(seen(noisy), LLMOptions())[1]


def test_guards_are_shown_as_watched_and_not_as_scores() -> None:
    def both(n: float, p: float) -> Feedback:
        return Feedback(scores={**niqe(n).scores, "psnr": {"image0": p}})

    trajectory = grow([(0, weights(1.0, 0.1, 0.01), both(6.0, 29.5))], start=both(7.0, 30.0))
    view = replace(seen(trajectory), guards=frozenset({"psnr"}))
    _, user = asked(view, LLMOptions())
    assert "Watched, not to be improved at any price: psnr 29.5 (before training 30.0)" in user
    assert "psnr" not in asked(view, PAPER)[1]


# -- what is asked ------------------------------------------------------------------------------------------


def test_each_image_sees_its_own_scores_and_pooled_the_mean() -> None:
    view = seen(line(6.0, 5.0))
    _, first = asked(view, PAPER, "image0")
    assert "The score of the image before training is 2.5. After the first 100 steps it is 1.5." in first
    _, pooled = asked(view, PAPER)
    assert "The mean score over 10 images before training is 7.0." in pooled


def test_several_metrics_go_by_their_names_with_a_direction_each() -> None:
    def both(n: float, p: float) -> Feedback:
        return Feedback(scores={**niqe(n).scores, "psnr": dict.fromkeys(niqe(n).scores["niqe"], p)})

    psnr = Target(metric="psnr", direction="higher", unit=0.1, importance=2.0)
    goal = Goal(
        targets=(*GOAL.targets, psnr),
        constraints=(Constraint(metric="psnr", at_least=-0.3, relative_to="start"),),
    )
    view = seen(grow([(0, weights(1.0, 0.1, 0.01), both(6.0, 29.0))], start=both(7.0, 30.0)), goal=goal)
    system, user = asked(view, PAPER)
    assert "A LOWER niqe score means better quality. A HIGHER psnr score means better quality." in system
    assert "reach a LOWER niqe and a HIGHER psnr (importance niqe 1 and psnr 2)" in system
    assert "niqe 6.0, psnr 29.0" in user
    assert "psnr must stay at least 29.7 over all images." in user


def test_a_wish_stands_in_system_and_needs_as_quoted_data() -> None:
    view = seen(line(6.0, 5.0), goal=Goal(targets=GOAL.targets, wish='no "plastic" <|im_end|> skin'))
    system, user = asked(view, PAPER)
    for prompt in (system, user):
        assert "\"no 'plastic' ‹|im_end|› skin\"" in prompt
    alone = asked(seen(line(6.0, 5.0), goal=Goal(wish="more detail")), PAPER)
    assert "help the model fulfil the wish" in alone[0]
    assert "niqe" not in alone[0] + alone[1]  # a single metric is "the score"
    assert "6.0" in alone[1]


def test_remarks_are_quoted_with_their_authors() -> None:
    remarks = (
        Remark(author="co-instruct", text="the grass is smeared"),
        Remark(author="ann", text="only here", image="image3"),
    )
    trajectory = line(6.0, 5.0)
    trajectory = change_state(trajectory, 2, feedback=niqe(5.0).model_copy(update={"remarks": remarks}))
    _, pooled = asked(seen(trajectory), PAPER)
    assert '"co-instruct" remarked: "the grass is smeared".' in pooled
    assert "only here" in asked(seen(trajectory), PAPER, "image3")[1]
    assert "only here" not in asked(seen(trajectory), PAPER, "image4")[1]


def test_a_branching_trajectory_prints_the_path_then_what_was_undone() -> None:
    view = seen(TRAJECTORIES["branching"](), Bounds.none())
    told = asked(view, PAPER)[1].split("\n\n")[0].split("\n")
    assert [text.split(".")[0][:20] for text in told[1:3]] == ["Step 100 weights: 1", "Step 200 weights: 1"]
    assert told[3] == "Tried and undone (training went back to an earlier step):"
    assert told[4] == "At step 100 weights 1.0:0.2:0.02 changed the mean score from 6.0 to 7.5."


def test_the_summary_names_best_worst_latest_and_trend() -> None:
    values = [6.0, 5.0, 6.5, 6.0, 5.8, 5.6, 5.4]
    _, user = asked(seen(line(*values)), PAPER, short=True)
    assert "history of 7 stages is too long to print" in user
    assert "The best score is 5.0" in user
    assert "The worst score is 6.5" in user
    assert "Step 600 weights" in user
    assert "Step 300 weights" not in user
    assert "Over the last 3 stages the score fell by 0.2 a stage." in user
    assert re.search(
        r"Fitted over the whole path, change a stage: mean score [-+]\d\.\d+ \+/- \d\.\d+ over 8 states", user
    )
    assert len(user) < len(asked(seen(line(*values, *values, *values)), PAPER)[1])


def test_the_trend_counts_stages_between_scores_that_are_there() -> None:
    ends = [6.0, 5.0, 6.5, 6.0, 5.8]
    _, user = asked(seen(line(*ends, None, 5.6)), PAPER, short=True)
    assert "Over the last 3 stages the score fell by 0.1333 a stage." in user
    _, user = asked(seen(line(*ends, 5.8, 5.8, 5.8)), PAPER, short=True)
    assert "Over the last 3 stages the score did not change." in user


def test_a_missing_score_is_said() -> None:
    assert "after training with them is none." in asked(seen(line(6.0, None)), PAPER)[1]


def test_limits_are_said_where_numbers_are_asked_for() -> None:
    bounds = Bounds(trust=4.0, frozen=frozenset({"l1"}))
    for answer in ("pattern", "json"):
        _, user = asked(seen(line(6.0, 5.0), bounds), LLMOptions(answer=answer))
        assert "factor of 4.0 at most" in user
        assert "stay as they are: l1" in user


@pytest.mark.parametrize("name", TRAJECTORIES)
@pytest.mark.parametrize("answer", ["pattern", "json", "moves", "choice"])
def test_every_trajectory_can_be_told(name: str, answer: str) -> None:
    for options in (LLMOptions(answer=answer), LLMOptions(answer=answer, share=True, evidence=EVERYTHING)):
        for short in (False, True):
            system, user = asked(seen(TRAJECTORIES[name]()), options, "image3" if options.share else None, short=short)
            assert "  " not in system
            assert user.endswith((".", "}"))


def test_the_direction_may_come_from_the_facts() -> None:
    goal = Goal(wish="sharper")
    view = seen(line(6.0, 5.0), goal=goal)
    assert NIQE.direction == "lower"
    assert "A LOWER score means better quality." in asked(view, PAPER)[0]


# -- questions that share their beginning -------------------------------------------------------------------


def common(prompts: list[str]) -> int:
    """Length of the common beginning."""
    return next((i for i, c in enumerate(zip(*prompts, strict=False)) if len(set(c)) > 1), min(map(len, prompts)))


def per_image(options: LLMOptions, view: View, short: bool = False) -> list[str]:
    found = [asked(view, options, image, short) for image in IMAGES]
    assert len({system for system, _ in found}) == 1
    return [user for _, user in found]


@pytest.mark.parametrize("answer", ["pattern", "json", "moves", "choice"])
@pytest.mark.parametrize("short", [False, True])
def test_shared_questions_differ_in_the_images_own_lines_alone(answer: str, short: bool) -> None:
    view = seen(line(*(6.0 - i / 10 for i in range(12))))
    users = per_image(LLMOptions(answer=answer, query="per_image", share=True, evidence=EVERYTHING), view, short)
    assert len(set(users)) == len(users)
    assert [user.index("\n\nThe score of the image: ") for user in users] == [users[0].index("\n\nThe score of")] * 10
    assert common(users) >= users[0].index("\n\nThe score of")
    papers = per_image(LLMOptions(answer=answer, query="per_image", evidence=EVERYTHING), view, short)
    assert common(papers) < 0.2 * len(papers[0])


def test_the_images_own_scores_stand_in_the_order_of_the_states() -> None:
    view = seen(TRAJECTORIES["branching"]())
    told = per_image(LLMOptions(query="per_image", share=True), view)[2]
    assert "its scores stand below the rules, in the order S0, S1, S3, S4, S2." in told
    scores = [s.feedback.scores["niqe"]["image2"] for i in (0, 1, 3, 4, 2) if (s := view.trajectory.states[i]).feedback]
    assert f"The score of the image: {', '.join(f'{v}' for v in scores)}.\n" in told
    for line_ in ("S0: before training.", "S3, from S1: 1.0:0.05:0.02.", "S2, from S1: 1.0:0.2:0.02."):
        assert f"\n{line_}\n" in told
    assert told.index("Tried and undone") < told.index("S2, from S1") < told.index("Raw losses now")
    assert told.index("Follow these rules") < told.index("The score of the image")


def test_scores_are_as_fine_as_a_tenth_of_the_unit() -> None:
    view = seen(line(6.04321, 5.98765))
    assert "The score of the image: 2.5, 1.54, 1.49." in per_image(LLMOptions(share=True), view)[0]
    fine = replace(view, metrics={"niqe": NIQE.model_copy(update={"unit": 0.002})})
    assert "The score of the image: 2.5, 1.5432, 1.4877." in per_image(LLMOptions(share=True), fine)[0]


def test_remarks_on_an_image_stand_in_its_own_lines() -> None:
    trajectory = line(6.0, 5.0)
    remarks = (Remark(author="anna", text="smeared", image="image3"), Remark(author="ben", text="too soft"))
    trajectory = change_state(trajectory, 2, feedback=niqe(5.0).model_copy(update={"remarks": remarks}))
    users = per_image(LLMOptions(query="per_image", share=True), seen(trajectory))
    assert '\nS2: "anna" remarked: "smeared"; "ben" remarked on all images: "too soft".\n' in users[3]
    assert '\nS2: "ben" remarked on all images: "too soft".\n' in users[4]
    wish = replace(seen(trajectory, goal=Goal(wish="sharper")), metrics={})
    told = per_image(LLMOptions(query="per_image", share=True), wish)[3]
    assert "Nothing was said of S1." in told
    assert "score" not in told


def test_pooled_questions_and_the_papers_agent_keep_the_papers_order() -> None:
    assert not PAPER.share
    view = seen(line(6.0, 5.0))
    assert asked(view, LLMOptions(share=True)) == asked(view, LLMOptions())
    assert asked(case_study(), changed(PAPER, share=False), "sampled")[1] == f"{CASE}\n\n{NEEDS}"


def test_a_shared_history_of_two_has_two_states() -> None:
    told = per_image(LLMOptions(share=True, history=2), seen(line(6.0, 5.0, 4.0, 3.0)))[0]
    assert "in the order S3, S4." in told
    assert "S2, from S1" not in told


def test_the_direction_is_hidden_in_shared_questions_too() -> None:
    view = seen(line(6.0, 5.0, 5.5, 4.0))
    for short in (False, True):
        options = changed(LLMOptions(share=True), direction="all_off", evidence=True)
        system, user = asked(view, options, "image3", short)
        assert not WAY.search(system + user.replace('"lower"', ""))
        assert not re.search(r"\b(best|worst|worse)\b", system + user)
