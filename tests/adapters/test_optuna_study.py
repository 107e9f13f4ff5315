"""A trajectory as an Optuna study, loaded again with Optuna."""

import math
import warnings

import pytest

import lossagent
from command_line import command
from lossagent.errors import MissingPackage, Refused
from lossagent.records import Decision
from lossagent.runs import read_trajectory
from lossagent.weights import Weights

optuna = pytest.importorskip("optuna", reason="Optuna is not installed")
from lossagent.adapters.optuna import to_study  # noqa: E402

GOAL = {
    "targets": [{"metric": "niqe", "direction": "lower", "unit": 0.1}],
    "constraints": [{"metric": "psnr", "at_least": -0.2, "relative_to": "start", "unit": 0.1}],
}
TWO = {
    "targets": [
        {"metric": "niqe", "direction": "lower", "unit": 0.1},
        {"metric": "psnr", "direction": "higher", "unit": 0.1},
    ]
}
pytestmark = pytest.mark.filterwarnings("ignore:state 3 has no score of 'niqe'")
SCORES = [(5.0, 30.0), (4.8, 29.9), (4.5, 29.6), (None, 29.8), (4.6, 29.9)]


class Listed:
    """Answers the weights of a list, with thoughts."""

    name = "listed"
    needs_restart = needs_utility = False

    def __init__(self, *answers):
        self.answers = answers

    def decide(self, view, recall):
        weights = Weights.of(self.answers[len(view.trajectory.states) - 2], view.trajectory.weights_at(view.head.id))
        return Decision(
            author=self.name, proposed=weights, weights=weights, restart_from=view.head.id, thoughts="more texture"
        )


ANSWERS = [{"l1": 1.0, "gan": 0.2}, {"l1": 1.0, "gan": 0.0}, {"l1": 0.5, "gan": 0.1}]


def opened(folder, goal, stages=4):
    return lossagent.steer(
        folder, {"l1": 1.0, "gan": 0.1}, goal=goal, score="elsewhere", agent=Listed(*ANSWERS), stages=stages
    )


def told(folder, goal=GOAL, upto=4, stages=4):
    """A run whose states 0 to ``upto`` are told."""
    with opened(folder, goal, stages) as steering:
        begun = steering.newest or 0
        for state in range(begun if steering.newest is None else begun + 1, upto + 1):
            if state:
                assert steering.ask().state == state
            niqe, psnr = SCORES[state]
            losses = {"l1": math.inf if state == 3 else 0.01, "gan": 0.7} if state else None
            steering.tell(state, scores={"niqe": niqe, "psnr": psnr}, losses=losses)
    return folder


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return told(tmp_path_factory.mktemp("optuna") / "run")


@pytest.fixture(scope="module")
def study(run):
    """The study of the run, read back from a file."""
    storage = f"sqlite:///{run.parent / 'steering.db'}"
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        to_study(run, storage)
    return optuna.load_study(study_name="run", storage=storage)


@pytest.fixture
def storage():
    return optuna.storages.InMemoryStorage()


def test_each_state_after_the_start_is_a_trial(study):
    assert study.direction.name == "MINIMIZE"
    assert [t.user_attrs["state"] for t in study.trials] == [1, 2, 3, 4]
    assert [t.state.name for t in study.trials] == ["COMPLETE", "COMPLETE", "FAIL", "COMPLETE"]
    assert [t.value for t in study.trials] == [4.8, 4.5, None, 4.6]
    assert study.user_attrs["scores of S_0"] == {"niqe": 5.0, "psnr": 30.0}
    assert study.user_attrs["initial weights"] == {"l1": 1.0, "gan": 0.1}


def test_weights_are_parameters_and_a_loss_that_was_off_has_a_switch(run, study):
    trials = study.trials
    states = read_trajectory(run).states[1:]
    for trial, state in zip(trials, states, strict=True):
        assert {n: trial.params[n] for n in ("l1", "gan")} == state.weights.magnitudes
        assert trial.params["gan on"] == (state.weights["gan"] > 0)
        assert "l1 on" not in trial.params
    assert [t.params["gan on"] for t in trials] == [True, True, False, True]
    distribution = trials[0].distributions["gan"]
    assert distribution.log
    assert (distribution.low, distribution.high) == (1e-4, 10.0)


def test_what_is_known_of_a_state_stands_beside_it(study):
    trials = study.trials
    first, second, failed, _ = (trial.user_attrs for trial in trials)
    assert (first["author"], first["parent"], first["depth"]) == ("initial", 0, 1)
    assert (second["author"], second["parent"], second["depth"]) == ("listed", 1, 2)
    assert second["thoughts"] == "more texture"
    assert second["scores"] == {"niqe": 4.5, "psnr": 29.6}
    assert second["raw losses"] == {"l1": 0.01, "gan": 0.7}
    assert failed["raw losses"]["l1"] is None  # JSON has no infinity
    assert failed["weights"]["gan"] == 0
    assert trials[1].intermediate_values == {1: 4.8, 2: 4.5}
    assert trials[0].datetime_start <= trials[0].datetime_complete <= trials[1].datetime_start


def test_optuna_knows_which_states_keep_the_constraints(study):
    misses = [list(t.constraints.values()) for t in study.trials]
    assert misses[0] == [pytest.approx(-1)]  # 0.1 dB inside, in units of 0.1 dB
    assert misses[1] == [pytest.approx(2)]
    assert study.best_trial.user_attrs["state"] == 4  # state 2 is better and breaks the limit
    assert study.trials[1].user_attrs["constraints"] == {"psnr at least -0.2 from start": pytest.approx(2)}


def test_several_targets_make_a_study_of_several_objectives(tmp_path, storage):
    study = to_study(told(tmp_path / "run", TWO), storage)
    assert [d.name for d in study.directions] == ["MINIMIZE", "MAXIMIZE"]
    assert study.metric_names == ["niqe", "psnr"]
    assert study.trials[0].values == [4.8, 29.9]
    assert {t.user_attrs["state"] for t in study.best_trials} == {2, 4}


def test_exported_again_only_new_states_are_added(tmp_path, storage):
    run = told(tmp_path / "run", upto=2)
    first = to_study(run, storage).trials
    assert [t.user_attrs["state"] for t in first] == [1, 2]
    assert to_study(run, storage).trials == first
    told(run, upto=4)
    again = to_study(run, storage).trials
    assert [t.user_attrs["state"] for t in again] == [1, 2, 3, 4]
    assert again[:2] == first


def test_a_state_in_training_is_no_trial_yet(tmp_path, storage):
    run = told(tmp_path / "run", upto=1)
    with opened(run, GOAL) as steering:
        assert steering.ask().state == 2
        assert [t.user_attrs["state"] for t in to_study(run, storage).trials] == [1]


def test_the_study_can_be_gone_on_with(run, storage):
    study = to_study(run, storage)
    study.sampler = optuna.samplers.TPESampler(n_startup_trials=1, seed=0)
    asked = study.ask(study.trials[0].distributions)
    assert 1e-4 <= asked.params["gan"] <= 10
    importances = optuna.importance.get_param_importances(
        study, evaluator=optuna.importance.PedAnovaImportanceEvaluator()
    )
    assert set(importances) == {"l1", "gan", "gan on"}


def test_what_cannot_be_a_study_is_refused(tmp_path, storage):
    with pytest.raises(Refused, match="no run folder"):
        to_study(tmp_path / "nothing", storage)
    run = told(tmp_path / "run", upto=1)
    with pytest.raises(Refused, match="cannot be used"):
        to_study(run, "sqlite:////nowhere/at/all.db")
    with pytest.raises(Refused, match="cannot be used"):
        to_study(run, "steering.db")
    to_study(told(tmp_path / "other", upto=1), storage, "run")
    with pytest.raises(Refused, match="not of the run"):
        to_study(run, storage)
    wish = lossagent.steer(
        tmp_path / "wish", {"l1": 1.0}, goal={"wish": "no plastic skin"}, score="elsewhere", agent="fixed", stages=2
    )
    wish.close()
    with pytest.raises(Refused, match="wish only"):
        to_study(tmp_path / "wish", storage)


def test_without_optuna_the_install_line_is_named(run, storage, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(MissingPackage, match=r"pip install 'lossagent\[search\]'"):
        to_study(run, storage)


def test_the_command_exports_and_adds(tmp_path):
    storage = f"sqlite:///{tmp_path / 'steering.db'}"
    run = told(tmp_path / "run", upto=2)
    shown = command("export", run, "--optuna", storage)
    assert (shown.status, shown.err) == (0, "")
    assert "study 'run' has 2 trials, 0 of them failed" in shown.out
    told(run, upto=4)
    assert "has 4 trials, 1 of them failed" in command("export", run, "--optuna", storage).out
    assert len(optuna.load_study(study_name="run", storage=storage).trials) == 4
    refused = command("export", run, "--optuna", storage, "--csv")
    assert refused.status == 2
    assert "leave out" in refused.err
