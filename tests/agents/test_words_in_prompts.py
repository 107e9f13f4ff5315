"""Words as feedback in prompts: runs with words alone, several authors, scores of the whole set."""

from __future__ import annotations

from dataclasses import replace

from agents.kit import GOAL, NIQE, grow, niqe, seen, weights
from lossagent.agents import LLM, LLMOptions, View
from lossagent.agents.llm import EvidenceOptions
from lossagent.agents.llm.history import AS_DATA, REMARKS, WORDS
from lossagent.agents.llm.scores import images_of, shown
from lossagent.chat.scripted import Scripted
from lossagent.feedback import POOLED, Feedback, MetricFacts, Remark
from lossagent.goal import Goal, Target

PAPER = LLMOptions.paper()
WISH = Goal(wish="no plastic skin")
PREFERENCE = MetricFacts(
    name="preference",
    direction="higher",
    low=None,
    high=None,
    needs_reference=False,
    unit=0.4,
    implementation="test",
    version="1",
)


def said(*remarks: tuple[str, str | None, str]) -> Feedback:
    return Feedback(remarks=tuple(Remark(author=a, image=i, text=t) for a, i, t in remarks))


def words_only() -> View:
    """The second stage was said nothing of, the third was undone."""
    stages = [
        (0, weights(1.0, 0.1, 0.01), said(("eyes", "face", "soft hair"), ("eyes", "zebra", "halos"))),
        (1, weights(1.0, 0.2, 0.01), Feedback()),
        (1, weights(1.0, 0.1, 0.09), said(("eyes", "face", "false texture"))),
    ]
    start = said(("eyes", "face", "very soft hair"), ("eyes", "zebra", "soft"), ("anna", None, "all too soft"))
    view = seen(grow(stages, start=start, head=2), goal=WISH)
    return replace(view, metrics={"niqe": NIQE}, guards=frozenset({"niqe"}))


def user(view: View, image: str | None = None, short: bool = False, options: LLMOptions = PAPER) -> str:
    return LLM(Scripted([]), options).prompts(view, image, short)[1].content.split("\n\n")[0]


def test_with_words_alone_the_history_is_weights_and_remarks() -> None:
    assert user(words_only()) == "\n".join(
        [
            'Feedback. The initial weights of l1, perceptual, gan are 1.0:0.1:0.01. Before training: "eyes" remarked '
            'on image "face": "very soft hair"; "anna" remarked: "all too soft"; "eyes" remarked on image "zebra": '
            '"soft". After the first 100 steps: "eyes" remarked on image "face": "soft hair"; "eyes" remarked on image '
            '"zebra": "halos".',
            "Step 100 weights: 1.0:0.2:0.01. Nothing was said of the images after training with them.",
            "Tried and undone (training went back to an earlier step):",
            'At step 100 weights 1.0:0.1:0.09 were tried. After them: "eyes" remarked on image "face": "false '
            'texture".',
            AS_DATA,
        ]
    )


def test_a_question_about_one_image_shows_its_remarks_and_those_on_all() -> None:
    view = words_only()
    assert images_of(view, shown(view, None).metrics) == ("face", "zebra")
    told = user(view, "zebra")
    assert 'Before training: "eyes" remarked: "soft"; "anna" remarked on all images: "all too soft".' in told
    assert "hair" not in told
    assert "score" not in told
    asked = LLM(Scripted(lambda messages, seed: "Weights: l1:perceptual:gan=1:0.1:0.01"), PAPER)
    keys = asked.decide(view, lambda key, make: make()).exchanges
    assert keys == ("image:face/0", "image:zebra/0")


def test_the_system_prompt_of_words_alone_speaks_of_no_score() -> None:
    system, _ = LLM(Scripted([]), LLMOptions()).prompts(words_only())
    assert "score" not in system.content
    assert "no plastic skin" in system.content


def test_the_summary_of_words_alone_has_the_latest_remarks() -> None:
    stages = [(i, weights(1.0, 0.1, 0.01 * (i + 1)), said(("eyes", None, f"remark {i}"))) for i in range(8)]
    view = replace(seen(grow(stages, start=said()), goal=WISH), metrics={})
    told = user(view, short=True)
    for number, there in ((0, True), (3, False), (5, True), (7, True)):
        assert (f'"remark {number}"' in told) == there
    assert "score" not in told
    assert told.endswith(AS_DATA)


def test_one_author_who_says_much_hides_no_other() -> None:
    many = [("describer", f"image{i}", f"number {i}") for i in range(10)]
    feedback = niqe(5.0).model_copy(update={"remarks": said(*many, ("anna", None, "look at the eyes")).remarks})
    told = user(seen(grow([(0, weights(1.0, 0.1, 0.01), feedback)])))
    assert "look at the eyes" in told
    assert told.count(" remarked") == REMARKS
    assert f"{11 - REMARKS} more remarks are left out." in told
    alone = Feedback(remarks=feedback.remarks)
    told = user(replace(seen(grow([(0, weights(1.0, 0.1, 0.01), alone)], start=said()), goal=WISH), metrics={}))
    assert told.count(" remarked") == WORDS
    one_more = Feedback(remarks=feedback.remarks[: WORDS + 1])
    told = user(replace(seen(grow([(0, weights(1.0, 0.1, 0.01), one_more)], start=said()), goal=WISH), metrics={}))
    assert "1 more remark is left out." in told


def test_without_remarks_nothing_is_said_of_quotation_marks() -> None:
    assert AS_DATA not in user(seen(grow([(0, weights(1.0, 0.1, 0.01), niqe(5.0))])))


# -- scores of the whole set --------------------------------------------------------------------------------


def pooled(value: float, niqe_of: float | None = None) -> Feedback:
    own = {} if niqe_of is None else niqe(niqe_of).scores
    return Feedback(scores={**own, "preference": {POOLED: value}})


def judged(goal: Goal, both: bool) -> View:
    stages = [(0, weights(1.0, 0.1, 0.01), pooled(0.4, 6.0 if both else None))]
    view = seen(grow(stages, start=pooled(0.0, 7.0 if both else None)), goal=goal)
    facts = {"preference": PREFERENCE} | ({"niqe": NIQE} if both else {})
    return replace(view, metrics=facts)


PREFERRED = Target(metric="preference", direction="higher", unit=0.4)


def test_a_score_of_the_whole_set_is_over_all_images() -> None:
    view = judged(Goal(targets=(PREFERRED,)), both=False)
    told = user(view)
    assert "The score over all images before training is 0.0. After the first 100 steps it is 0.4." in told
    assert images_of(view, ("preference",)) == ()
    assert user(view, "face") == told
    assert POOLED not in user(view, options=LLMOptions(evidence=EvidenceOptions()))


def test_beside_an_images_own_score_it_says_so() -> None:
    view = judged(Goal(targets=(*GOAL.targets, PREFERRED)), both=True)
    assert "image0" in images_of(view, ("niqe", "preference"))
    assert POOLED not in images_of(view, ("niqe", "preference"))
    assert "The score of the image before training is niqe 2.5, preference 0.0 (over all images)." in user(
        view, "image0"
    )
    assert "The mean score over 10 images before training is niqe 7.0, preference 0.0." in user(view)


def test_where_scores_are_of_the_whole_set_remarks_name_the_images() -> None:
    view = judged(Goal(targets=(PREFERRED,)), both=False)
    start = pooled(0.0).model_copy(update={"remarks": said(("anna", "face", "soft")).remarks})
    view = replace(view, trajectory=grow([(0, weights(1.0, 0.1, 0.01), pooled(0.4))], start=start))
    assert images_of(view, ("preference",)) == ("face",)
    assert '"anna" remarked: "soft".' in user(view, "face")
