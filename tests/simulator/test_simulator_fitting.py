"""What a response model finds in runs whose response is known."""

from __future__ import annotations

import dataclasses
import math
from pathlib import Path

import numpy as np
import pytest
from truth import DELAY, FIRST, INITIAL, RATE, SPREAD, equilibrium, outcome, recorded, wandering

from lossagent.agents.random_weights import Random
from lossagent.errors import Damaged, Refused
from lossagent.feedback import Feedback
from lossagent.simulator import Model, Problem, fit, read_model, write_model
from lossagent.simulator.model import Response
from lossagent.simulator.transitions import Space, transitions_of
from lossagent.study.outcome import Outcome
from lossagent.weights import Bounds, Weights


@pytest.fixture(scope="module")
def model() -> Model:
    return fit(recorded(seeds=8, stages=10))


def response(model: Model, key: str) -> Response:
    return next(r for r in model.responses if r.channel.key == key)


def change(model: Model, weights: Weights, niqe: float, previous: float, depth: int) -> float:
    """Predicted change of the feedback images' NIQE."""
    column = [c.key for c in model.channels].index("feedback/niqe")
    before, moved = model.starts.copy(), np.zeros(len(model.responses))
    before[column], moved[column] = niqe, previous
    after = model.expected(model.space.ratios(weights), before, moved, depth, model.starts)
    return float(after[column] - before[column])


def test_dynamics_are_found(model: Model) -> None:
    niqe = response(model, "feedback/niqe")
    assert niqe.rate == pytest.approx(RATE, abs=0.05)
    assert niqe.delay == pytest.approx(DELAY, abs=0.12)
    assert niqe.first == pytest.approx(FIRST, abs=0.1)
    assert niqe.start == pytest.approx(7.0)


@pytest.mark.parametrize("niqe", [6.2, 6.8])
@pytest.mark.parametrize(("perceptual", "gan"), [(0.1, 0.01), (0.05, 0.05), (0.25, 0.005), (0.1, 0.08)])
def test_predicted_changes_are_those_of_the_truth(model: Model, perceptual: float, gan: float, niqe: float) -> None:
    weights = Weights.of({"l1": 1.0, "perceptual": perceptual, "gan": gan})
    expected = RATE * (equilibrium(weights) - niqe) + DELAY * -0.1
    assert change(model, weights, niqe, -0.1, 4) == pytest.approx(expected, abs=0.06)


def test_training_noise_and_what_arms_share_of_it_are_found(model: Model) -> None:
    assert response(model, "feedback/niqe").spread == pytest.approx(SPREAD * math.sqrt(1.09), rel=0.15)
    assert model.shared == pytest.approx(1 / 1.09, abs=0.1)
    keys = [c.key for c in model.channels]
    luck = model.correlation[keys.index("feedback/niqe")][keys.index("selection/niqe")]
    assert luck > 0.8  # a state's luck is shared between sets


def test_losses_and_evidence_are_modelled_on_their_scales(model: Model) -> None:
    keys = {c.key for c in model.channels}
    assert {"loss/l1", "raw/l1", "raw/gan"} <= keys
    assert "layer-norm/l1" not in keys  # S_0 of these runs has none: there is no change to learn
    fidelity = response(model, "loss/l1")
    assert fidelity.rate == fidelity.delay == 0.0
    spread = model.scale.spread[model.losses.index("gan")]
    assert fidelity.linear[model.losses.index("gan")] / spread == pytest.approx(0.1, abs=0.01)


def test_test_scores_follow_the_other_sets(model: Model) -> None:
    (readout,) = model.readouts.readouts
    assert readout.start == pytest.approx(6.0)
    assert 0.9 * readout.on_selection + readout.on_feedback == pytest.approx(0.8, abs=0.03)
    assert readout.spread < 0.05
    assert model.readouts.constant == {"BSD": {"reference": {"niqe": pytest.approx(4.5)}}}


def test_images_have_offsets_and_luck_of_their_own(model: Model) -> None:
    images = model.feedback
    assert len(images.images) == 10
    assert np.std(images.offsets[images.metrics.index("niqe")]) > 0.3
    spread = images.spread[images.metrics.index("niqe")]
    assert np.mean(spread) == pytest.approx(0.03, rel=0.5)
    assert images.spread[images.metrics.index("psnr_y")] == pytest.approx([0.0] * 10, abs=1e-9)


def with_images_of_its_own(one: Outcome) -> Outcome:
    """The run, had its seed drawn all but two of the feedback images and all but one of those of the selection."""

    def without(feedback: Feedback, *gone: str) -> Feedback:
        scores = {m: {i: v for i, v in s.items() if i not in gone} for m, s in feedback.scores.items()}
        return Feedback(scores=scores)

    first, second = one.seed % 10, (3 * one.seed + 1) % 10
    gone = (f"f{first}", f"f{second if second != first else (second + 1) % 10}")
    states = tuple(s.model_copy(update={"feedback": without(s.feedback or Feedback(), *gone)}) for s in one.states)
    selection = {i: without(f, f"s{one.seed % 6}") for i, f in one.selection.items()}
    return one.model_copy(update={"states": states, "selection": selection})


def test_images_that_each_seed_draws_are_modelled_as_many_as_a_run_has(model: Model) -> None:
    runs = recorded(seeds=8, stages=10)
    own = fit(dataclasses.replace(runs, outcomes=tuple(map(with_images_of_its_own, runs.outcomes))))
    assert len(own.feedback.images) == 8
    assert own.selection is not None
    assert len(own.selection.images) == 5
    niqe = own.feedback.metrics.index("niqe")
    assert np.mean(own.feedback.spread[niqe]) == pytest.approx(0.03, rel=0.5)
    assert float(np.array(own.feedback.offsets[niqe]) @ own.feedback.shares) == pytest.approx(0.0, abs=1e-12)
    here = dict(zip(own.feedback.images, own.feedback.offsets[niqe], strict=True))
    there = dict(zip(model.feedback.images, model.feedback.offsets[model.feedback.metrics.index("niqe")], strict=True))
    assert np.corrcoef([here[i] for i in here], [there[i] for i in here])[0, 1] > 0.95
    one = Problem.of(own).run(Random(), 0)
    assert one.rule.startswith("best niqe on the selection set")


def test_a_model_without_weights_predicts_the_same_for_all() -> None:
    drift = fit(recorded(), weightless=True)
    other = Weights.of({"l1": 1.0, "perceptual": 0.3, "gan": 0.05})
    assert change(drift, other, 6.5, 0.0, 3) == change(drift, INITIAL, 6.5, 0.0, 3)


def test_far_from_what_was_recorded_the_response_is_flat_and_that_is_known(model: Model) -> None:
    far, further = (Weights.of({"l1": 1.0, "perceptual": 0.1, "gan": g}) for g in (5.0, 9.0))
    assert change(model, far, 6.5, 0.0, 3) == change(model, further, 6.5, 0.0, 3)
    assert model.beyond(far)
    assert not model.beyond(INITIAL)


def test_a_loss_that_is_off_counts_as_one_far_below_the_others(model: Model) -> None:
    off = Weights.of({"l1": 1.0, "perceptual": 0.1, "gan": 0.0}, keep=INITIAL)
    assert math.isfinite(change(model, off, 6.5, 0.0, 3))
    assert model.beyond(off)
    runs = recorded(seeds=4, stages=7)
    one = runs.outcomes[0]
    states = [one.states[0]]
    for state in one.states[1:]:
        assert state.decision is not None
        states.append(state.model_copy(update={"decision": state.decision.model_copy(update={"weights": off})}))
    without = one.model_copy(update={"arm": "fixed@off", "states": tuple(states)})
    known = fit(dataclasses.replace(runs, outcomes=(*runs.outcomes, without)))
    assert not known.beyond(off)


def test_stages_that_runs_of_a_seed_share_count_once() -> None:
    outcomes = [outcome("fixed", lambda rng, depth: INITIAL, 0), outcome("random", wandering, 0)]
    data = transitions_of(outcomes, Bounds())
    assert len(data) == 8 + 7  # the first stage of both is under the initial weights
    assert data.space == Space("l1", ("perceptual", "gan"))
    assert list(data.depth[:3]) == [1, 2, 3]
    assert data.previous[0, 0] == 0.0  # nothing led to S_0
    assert data.window[1] == data.window[8]  # same seed, same depth


def test_a_weight_that_was_never_moved_is_said_to_have_no_known_effect() -> None:
    arms = ("fixed", "fixed@gan")
    model = fit(recorded(arms=arms))
    assert any("the weight of perceptual was the same" in note for note in model.notes)


def test_arms_without_common_seeds_share_no_noise_and_that_is_said() -> None:
    runs = recorded()
    apart = tuple(o.model_copy(update={"seed": o.seed + 100 * i}) for i, o in enumerate(runs.outcomes))
    model = fit(dataclasses.replace(runs, outcomes=apart))
    assert model.shared == 0.0
    assert any("trained on the same data" in note for note in model.notes)


def test_too_few_runs_are_refused() -> None:
    with pytest.raises(Refused, match="at least 3 runs that differ and 12 different stages; found 2 and 16"):
        fit(recorded(seeds=2, arms=("fixed",)))


def test_runs_without_scores_are_refused() -> None:
    runs = recorded(seeds=3)
    blind = tuple(
        o.model_copy(
            update={"states": tuple(s.model_copy(update={"feedback": Feedback()}) for s in o.states), "selection": {}}
        )
        for o in runs.outcomes
    )
    with pytest.raises(Refused, match="no feedback scores"):
        fit(dataclasses.replace(runs, outcomes=blind))


def test_a_model_survives_its_file(model: Model, tmp_path: Path) -> None:
    write_model(model, tmp_path / "deep" / "model.json")
    again = read_model(tmp_path / "deep" / "model.json")
    assert again == model
    assert change(again, INITIAL, 6.5, 0.1, 2) == change(model, INITIAL, 6.5, 0.1, 2)


def test_files_that_are_no_models_are_refused(model: Model, tmp_path: Path) -> None:
    with pytest.raises(Refused, match="simulate fit STUDY --out"):
        read_model(tmp_path / "none.json")
    (tmp_path / "other.json").write_text('{"version": 99}', encoding="utf-8")
    with pytest.raises(Refused, match="another version"):
        read_model(tmp_path / "other.json")
    (tmp_path / "torn.json").write_text(model.model_dump_json()[:-20], encoding="utf-8")
    with pytest.raises(Damaged, match="no response model"):
        read_model(tmp_path / "torn.json")
