"""What prompts say beside weights and scores: each switch by itself, and the numbers behind the words."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import linregress, t

from agents.kit import IMAGES, NIQE, change_state, grow, line, niqe, seen, weights
from lossagent.agents import LLM, LLMOptions, View, forget
from lossagent.agents.llm import EvidenceOptions
from lossagent.agents.llm.text import weight_numbers
from lossagent.agents.llm.trends import slope
from lossagent.agents.respond.estimates import estimates
from lossagent.assets import locate
from lossagent.chat.embedded import Embedded
from lossagent.chat.scripted import Scripted
from lossagent.errors import MissingAsset
from lossagent.feedback import Feedback
from lossagent.records import Evidence, Message, StageReport
from lossagent.weights import Weights

LINES = {
    "raw": "Raw losses now: ",
    "shares": "Share of each loss in the gradient now: ",
    "noise": "The last stage changed the score by ",
    "best": "The best stage so far had the weights ",
    "guards": "Watched, not to be improved at any price: psnr",
    "ceiling": "The original images themselves score: ",
    "alarm": "ALARM: ",
    "losses": "The losses: l1: pixel distance.",
    "health": 'The trainer also measured: "discriminator/real" 0.9.',
    "trends": "Trend of the scores over this path",
    "response": "Estimated from all stages so far: doubling a weight ",
    "helped": "What the latest moves say, ",
}
NEW = {"trends", "response", "helped"}


def rich() -> View:
    """A run about which every switch has something to say."""

    def scores(value: float, psnr: float) -> Feedback:
        own = niqe(value).scores
        return Feedback(scores={**own, "psnr": {n: psnr + i / 100 for i, n in enumerate(own["niqe"])}})

    stages = [(6.0, 27.0, 0.01), (5.0, 26.0, 0.02), (4.0, 25.0, 0.04), (3.5, 24.0, 0.08)]
    tree = grow(
        [(i, weights(1.0, 0.1, gan), scores(n, p)) for i, (n, p, gan) in enumerate(stages)], start=scores(7.0, 30.0)
    )
    for number in range(5):
        facts = Evidence(raw={"l1": 0.03 + number / 100}, image_norms={"l1": 1.0, "perceptual": 2.0, "gan": 3.0})
        report = StageReport(iterations=100, evidence=facts, extra={"discriminator/real": 0.9})
        tree = change_state(tree, number, report=report)
    psnr = NIQE.model_copy(update={"name": "psnr", "direction": "higher"})
    return replace(
        seen(tree),
        metrics={"niqe": NIQE, "psnr": psnr},
        guards=frozenset({"psnr"}),
        ceiling={"niqe": 4.15},
        loss_facts={"l1": "pixel distance"},
    )


def asked(view: View, evidence: dict[str, bool] | bool, image: str | None = None, **options: object) -> str:
    agent = LLM(Scripted([]), LLMOptions.model_validate({"evidence": evidence, **options}))
    return "\n".join(m.content for m in agent.prompts(view, image))


def only(name: str) -> dict[str, bool]:
    return {n: n == name for n in EvidenceOptions.model_fields}


def test_every_switch_has_its_line_here() -> None:
    assert LINES.keys() == EvidenceOptions.model_fields.keys()
    assert all(line in asked(rich(), True) for line in LINES.values())


@pytest.mark.parametrize("name", LINES)
@pytest.mark.parametrize("share", [False, True])
def test_a_switch_adds_its_line_and_no_other(name: str, share: bool) -> None:
    image = "image3" if share else None
    told = asked(rich(), only(name), image, share=share)
    assert [n for n, words in LINES.items() if words in told] == [name]
    silent = asked(rich(), False, image, share=share)
    assert not any(words in silent for words in LINES.values())


def test_prompts_of_files_without_the_new_switches_do_not_change() -> None:
    old = {n: True for n in EvidenceOptions.model_fields if n not in NEW}
    assert asked(rich(), old) == asked(rich(), {**old, **dict.fromkeys(NEW, False)})
    usual = EvidenceOptions().model_dump()
    assert {n for n, on in usual.items() if not on} == NEW | {"health"}


def test_what_gives_the_direction_away_is_left_out_with_it() -> None:
    told = asked(rich(), True, direction="all_off")
    for name in ("best", "alarm", "response", "helped"):
        assert LINES[name] not in told
    assert LINES["trends"] in told
    assert not re.search(
        r"\b(better|best|worse|worst|helped)\b", told.replace("reach a better score", "").replace("better images", "")
    )


# -- trends -------------------------------------------------------------------------------------------------


def test_a_slope_and_its_interval_are_those_of_least_squares(rng: np.random.Generator) -> None:
    x = np.arange(9)
    y = 3.0 - 0.4 * x + rng.normal(0.0, 0.2, 9)
    found = slope(zip(x.tolist(), y.tolist(), strict=True))
    wanted = linregress(x, y)
    assert found is not None
    assert found.mean == pytest.approx(wanted.slope)
    assert found.half == pytest.approx(t.ppf(0.975, 7) * wanted.stderr)
    assert found.clear


def test_the_interval_covers_the_slope_as_often_as_it_says(rng: np.random.Generator) -> None:
    hits = 0
    for _ in range(1000):
        found = slope((i, 0.3 * i + e) for i, e in enumerate(rng.normal(0.0, 1.0, 6).tolist()))
        assert found is not None
        hits += abs(found.mean - 0.3) <= found.half
    assert 925 <= hits <= 975


def test_missing_and_infinite_values_count_for_nothing() -> None:
    whole = slope([(0, 1.0), (2, 1.6), (3, 1.8)])
    assert slope([(0, 1.0), (1, None), (2, 1.6), (3, 1.8), (4, float("nan")), (5, float("inf"))]) == whole
    assert slope([(0, 1.0), (1, 2.0)]) is None
    assert slope([]) is None


def test_trends_are_said_of_scores_and_raw_losses_and_doubt_too() -> None:
    told = asked(rich(), only("trends"))
    assert "Trend of the scores over this path, change a stage (95 % interval): mean score -0.9 +/- " in told
    assert "Trend of the raw losses over this path, change a stage (95 % interval): l1 +0.01 +/- 0.0 over 5" in told
    assert "no clear trend" not in told
    unclear = asked(seen(line(6.0, 7.0, 6.2, 6.9)), only("trends"))
    assert re.search(r"mean score [-+]\d\.\d+ \+/- \d\.\d+ over 5 states \(no clear trend\)", unclear)
    assert "Trend of the scores" not in asked(seen(line(6.0)), only("trends"))


def test_a_question_about_an_image_has_the_trend_of_its_own_score() -> None:
    view = rich()
    head = niqe(9.9).scores["niqe"] | {"image0": -1.0}
    changed = change_state(view.trajectory, 4, feedback=Feedback(scores={"niqe": head}))
    view = replace(view, trajectory=changed, head=changed.head)
    assert "interval): score -0." in asked(view, only("trends"), "image0")
    assert "interval): mean score +0." in asked(view, only("trends"), "image0", share=True)


# -- what moves did -----------------------------------------------------------------------------------------


def moved(*stages: tuple[tuple[float, float], float]) -> View:
    """A path of (weights of perceptual and gan, score); scores of ten images with a spread that has noise."""

    def noisy(value: float, stage: int) -> Feedback:
        own = {
            n: (v or 0.0) + 0.05 * ((3 * i + stage) % 5 - 2)
            for i, (n, v) in enumerate(niqe(value).scores["niqe"].items())
        }
        return Feedback(scores={"niqe": own})

    return seen(grow([(i, weights(1.0, *w), noisy(v, i)) for i, (w, v) in enumerate(stages)], start=noisy(7.0, 9)))


def helped(view: View) -> list[str]:
    told = asked(view, only("helped"))
    found = re.search(r"What the latest moves say, oldest first, [^:]*: ([^\n]*)\.$", told, re.MULTILINE)
    return found[1].split("; ") if found else []


def test_a_move_that_hurt_is_restated_the_other_way_round() -> None:
    told = helped(moved(((0.1, 0.01), 6.0), ((0.1, 0.02), 6.5), ((0.2, 0.02), 6.0), ((0.1, 0.01), 5.0)))
    assert [re.sub(r"[\d.]+$", "?", one) for one in told] == [
        "gan down by ?",
        "perceptual up by ?",
        "perceptual down, gan down by ?",
    ]


def test_the_unit_is_half_the_interval_over_images() -> None:
    view = moved(((0.1, 0.01), 6.0), ((0.1, 0.02), 6.5))
    before, after = (view.trajectory.states[i].feedback for i in (1, 2))
    assert before is not None
    assert after is not None
    each = [(after.scores["niqe"][n] or 0.0) - (v or 0.0) for n, v in before.scores["niqe"].items()]
    wanted = np.mean(each) / (1.96 * np.std(each, ddof=1) / np.sqrt(10))
    assert helped(view) == [f"gan down by {wanted:.2g}"]


def test_without_an_estimate_the_tolerance_is_the_unit() -> None:
    path = grow([(0, weights(1.0, 0.1, 0.01), niqe(6.0)), (1, weights(1.0, 0.1, 0.02), niqe(6.5))])
    assert helped(replace(seen(path), tolerance={"niqe": 0.25})) == ["gan down by 2"]


def test_the_drift_of_the_fixed_run_is_no_merit_of_a_move() -> None:
    path = grow([(0, weights(1.0, 0.1, 0.01), niqe(6.0)), (1, weights(1.0, 0.1, 0.02), niqe(5.5))])
    view = replace(seen(path), tolerance={"niqe": 0.25})
    assert helped(view) == ["gan up by 2"]
    assert helped(replace(view, fixed={1: niqe(6.0), 2: niqe(5.0)})) == ["gan down by 2"]


def test_stages_that_moved_nothing_say_nothing_and_the_latest_are_kept() -> None:
    w = weights(1.0, 0.1, 0.01)
    assert helped(seen(grow([(0, w, niqe(6.0)), (1, w, niqe(5.0))]))) == []
    common = Weights.of({n: 3 * v for n, v in w.values().items()})
    assert helped(seen(grow([(0, w, niqe(6.0)), (1, common, niqe(5.0))]))) == []
    many = seen(line(*(6.0 + (i % 3) / 10 for i in range(40))))
    assert len(helped(many)) == 12


def test_estimates_are_those_of_the_response_model() -> None:
    view = rich()
    told = asked(view, only("response"))
    for effect in estimates(view):
        assert f"{effect.loss} {effect.mean:+.2f} (standard deviation " in told
    assert "changes the outcome by so many points (one is 0.1 of niqe), more is better: " in told
    alone = seen(grow([(0, Weights.of({"l1": 1.0}), niqe(6.0))]))
    assert "Estimated" not in asked(alone, only("response"))


# -- long histories -----------------------------------------------------------------------------------------


def long_run(stages: int) -> View:
    """A tree of so many stages, every fourth undone, with evidence and a wandering score."""
    rng = np.random.default_rng(0)
    made, head = [], 0
    for i in range(stages):
        w = weights(1.0, 0.1 * 2 ** float(rng.normal()), 0.01 * 2 ** float(rng.normal()))
        made.append((head, w, niqe(round(6.0 - 0.01 * i + float(rng.normal(0.0, 0.2)), 4), IMAGES[:4])))
        head = head if i % 4 == 3 else i + 1
    tree = grow(made, start=niqe(7.0, IMAGES[:4]), head=head)
    facts = Evidence(raw={"l1": 0.0312, "perceptual": 0.7741, "gan": 1.2034}, image_norms={"l1": 1.0, "gan": 3.0})
    for number in range(len(tree.states)):
        tree = change_state(tree, number, report=StageReport(iterations=100, evidence=facts))
    return replace(seen(tree), loss_facts={"l1": "pixel distance", "gan": "sharpens, and invents texture"})


class Dense(Scripted):
    """Counts a token for two characters: more than any tokenizer finds in these prompts."""

    def count_tokens(self, messages: Sequence[Message]) -> int:
        return sum(len(m.content) // 2 + 8 for m in messages)


EVERYTHING = {"evidence": True, "answer": "choice", "query": "per_image", "retries": 0}


@pytest.mark.parametrize("share", [False, True])
def test_a_history_of_200_stages_fits_and_is_the_same_each_time(share: bool) -> None:
    options = LLMOptions.model_validate({**EVERYTHING, "share": share})
    chats = [Dense(lambda messages, seed: "A") for _ in range(2)]
    decisions = [LLM(chat, options).decide(long_run(200), forget) for chat in chats]
    assert decisions[0] == decisions[1]
    assert "summary" in decisions[0].adjusted_by
    assert decisions[0].failed == 0
    assert len(chats[0].calls) == 4
    assert [c.messages for c in chats[0].calls] == [c.messages for c in chats[1].calls]
    assert all(chats[0].count_tokens(c.messages) <= 3500 for c in chats[0].calls)


@pytest.mark.parametrize("share", [False, True])
def test_a_summary_has_first_best_worst_latest_and_a_fitted_trend(share: bool) -> None:
    view = long_run(200)
    agent = LLM(Scripted([]), LLMOptions.model_validate({**EVERYTHING, "evidence": False, "share": share}))
    told = agent.prompts(view, "image3", short=True)[1].content
    path = view.trajectory.path(view.head.id)
    assert f"history of {len(path) - 1} stages is too long to print" in told
    scored = [(s.feedback.mean("niqe") or 0.0, s) for s in view.trajectory.states[1:] if s.feedback is not None]
    best, worst = min(scored, key=lambda x: x[0])[1], max(scored, key=lambda x: x[0])[1]
    for state in (path[1], best, worst, *path[-3:]):
        assert weight_numbers(view.trajectory.weights_at(state.id)) in told
    fitted = slope((s.depth, s.feedback.scores["niqe"]["image3"] if s.feedback else None) for s in path)
    assert fitted is not None
    assert f"Fitted over the whole path, change a stage: score {fitted.mean:+.4f} +/- {fitted.half:.4f}" in told
    assert told.count("\n") < 40


def test_where_it_fits_the_whole_history_is_told() -> None:
    chat = Dense(lambda messages, seed: "A")
    options = LLMOptions.model_validate({**EVERYTHING, "query": "pooled"})
    decision = LLM(chat, options).decide(long_run(12), forget)
    assert "summary" not in decision.adjusted_by
    assert "too long" not in chat.calls[0].messages[1].content


@pytest.mark.slow
def test_by_the_embedded_models_own_count_it_fits_too() -> None:
    pytest.importorskip("xllamacpp", reason="xllamacpp is not installed (extra 'llm')")
    try:
        locate("smollm2-135m-instruct")
    except MissingAsset:
        pytest.skip("smollm2-135m-instruct is not on this machine: lossagent assets fetch")
    chat = Embedded("smollm2-135m-instruct", threads=1)
    try:
        for share in (False, True):
            options = LLMOptions.model_validate({**EVERYTHING, "share": share})
            counted = Counted(chat)
            assert LLM(counted, options).decide(long_run(200), forget).failed == 0
            assert [n <= 3500 for n in counted.sizes] == [False, True, *[False, True] * 3]
    finally:
        chat.close()


class Counted(Scripted):
    """Counts with a real model and answers without it."""

    def __init__(self, model: Embedded) -> None:
        super().__init__(lambda messages, seed: "A")
        self.model = model
        self.sizes: list[int] = []

    def count_tokens(self, messages: Sequence[Message]) -> int:
        self.sizes.append(self.model.count_tokens(messages))
        return self.sizes[-1]
