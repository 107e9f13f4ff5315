"""A trainer of the BasicSR family under a steering: its weights, stages, losses and checkpoints."""

import json
import math
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import little_sr
import pytest
import torch
from little_sr import Model, Redux, options, train_pipeline, write_references

import lossagent
from lossagent.adapters.basicsr import hooked, steer_model, weights_on
from lossagent.errors import Refused
from lossagent.objectives import pixels_of
from lossagent.records import Decision
from lossagent.runs import read_trajectory
from lossagent.weights import Weights

LITTLE = sys.modules["little_sr"]


class Listed:
    """Answers the weights of a list, the last one for ever."""

    name = "listed"
    needs_restart = needs_utility = False

    def __init__(self, *answers):
        self.answers = answers

    def decide(self, view, recall):
        number = min(len(view.trajectory.states) - 2, len(self.answers) - 1)
        weights = Weights.of(self.answers[number], view.trajectory.weights_at(view.head.id))
        return Decision(author=self.name, proposed=weights, weights=weights, restart_from=view.head.id)


class Steered:
    """A training with a hook, and what was seen of it."""

    def __init__(self, root, agent="random", stages=3, **more):
        self.root, self.agent, self.stages, self.more = root, agent, stages, more
        self.references = write_references(root / "references")
        self.logs, self.weights = [], []

    def hook(self, model, val_loaders):
        self.model = model
        loaders = self.more.pop("loaders", lambda found: found)(val_loaders)
        steering = lossagent.steer(
            self.root / "run",
            weights_on(model),
            metric="psnr",
            references=self.references,
            agent=self.agent,
            stages=self.stages,
        )
        self.steered = steer_model(model, steering, loaders, **self.more)

    def train(self, opt, stop=None):
        def on_step(model, iteration):
            self.logs.append(dict(model.log_dict))
            self.weights.append(weights_on(model))
            if stop == iteration:
                raise KeyboardInterrupt

        with hooked(LITTLE, self.hook):
            try:
                train_pipeline(opt, on_step)
            finally:
                self.steered.steering.close()
        return self.trajectory

    @property
    def trajectory(self):
        return read_trajectory(self.root / "run")


def scores(trajectory):
    return [state.feedback.mean("psnr") for state in trajectory.states]


def test_stages_end_with_validations_and_bring_the_next_weights(tmp_path):
    run = Steered(tmp_path)
    trajectory = run.train(options(tmp_path))
    assert [s.report.iterations for s in trajectory.states] == [0, 3, 3, 3]
    assert run.steered.over
    expected = [trajectory.states[min(1 + n // 3, 3)].weights.values() for n in range(12)]  # the last ones stay
    assert run.weights == expected
    assert len({w["perceptual"] for w in run.weights}) == 3
    assert set(trajectory.last.report.images) == {"baboon", "bird"}
    assert len(set(scores(trajectory))) == 4


def test_a_fixed_agent_trains_as_the_trainer_alone(tmp_path):
    run = Steered(tmp_path / "steered", agent="fixed", stages=4)
    run.train(options(tmp_path / "steered"))
    alone = train_pipeline(options(tmp_path / "alone"))
    for one, other in zip(run.model.net_g.parameters(), alone.net_g.parameters(), strict=True):
        assert torch.equal(one, other)


def test_raw_losses_are_the_logged_ones_over_the_weight(tmp_path):
    run = Steered(tmp_path)
    trajectory = run.train(options(tmp_path))
    for state in trajectory.states[1:]:
        part = range(3 * state.id - 3, 3 * state.id)
        for name, key in (("pix", "l_pix"), ("perceptual", "l_percep")):
            raw = [run.logs[n][key] / run.weights[n][name] for n in part]
            assert state.report.losses[name] == pytest.approx(sum(raw) / 3)


def test_a_loss_that_is_off_has_weight_0_and_no_raw_value(tmp_path):
    agent = Listed({"pix": 1.0, "perceptual": 0.0}, {"pix": 0.0, "perceptual": 0.5})
    run = Steered(tmp_path, agent=agent)
    trajectory = run.train(options(tmp_path))
    assert ["l_percep" in log for log in run.logs] == [True] * 3 + [False] * 3 + [True] * 6
    assert [log["l_pix"] == 0 for log in run.logs] == [False] * 6 + [True] * 6
    assert [set(s.report.losses) for s in trajectory.states[1:]] == [{"pix", "perceptual"}, {"pix"}, {"perceptual"}]


def test_a_log_that_adds_up_is_taken_apart(tmp_path):
    run = Steered(tmp_path)
    trajectory = run.train(options(tmp_path, model=Redux))
    sums = {}
    for number, log in enumerate(run.logs):  # the trainer forgets after every second step
        before = {} if number % 2 == 0 else run.logs[number - 1]
        for key, value in log.items():
            sums.setdefault(number // 3 + 1, {}).setdefault(key, []).append(float(value - before.get(key, 0)) / 2)
    for state in trajectory.states[1:]:
        for name in ("l1", "mse"):
            raw = sum(sums[state.id][f"l_g_{name}"]) / 3 / state.weights[name]
            assert state.report.losses[name] == pytest.approx(raw, rel=1e-5)


@pytest.mark.parametrize("model", [Model, Redux])
def test_files_and_memory_give_the_same_images(tmp_path, model):
    memory = Steered(tmp_path / "a", stages=1).train(options(tmp_path / "a", model=model))
    files = Steered(tmp_path / "b", stages=1, images="files").train(options(tmp_path / "b", model=model))
    assert [s.report.images for s in files.states] == [s.report.images for s in memory.states]


def test_longer_stages_and_data_sets_that_are_no_feedback(tmp_path):
    run = Steered(tmp_path, every=6, stages=2, loaders=lambda found: found[1])
    trajectory = run.train(options(tmp_path, sets=("Other", "Set2")))
    assert [s.report.iterations for s in trajectory.states] == [0, 6, 6]
    assert set(trajectory.last.report.images) == {"baboon", "bird"}


def test_images_of_several_data_sets_are_told_apart(tmp_path):
    write_references(tmp_path / "both")
    for set_name in ("Set2", "Other"):
        for file in (tmp_path / "both").glob("b*.png"):
            (tmp_path / "both" / f"{set_name}-{file.name}").write_bytes(file.read_bytes())
    run = Steered(tmp_path)
    run.references = tmp_path / "both"
    trajectory = run.train(options(tmp_path, sets=("Other", "Set2")))
    names = {f"{s}-{n}" for s in ("Set2", "Other") for n in ("baboon", "bird")}
    assert set(trajectory.last.report.images) == names


def resumed(root, at):
    return options(root, resume=str(root / "states" / f"{at}.state"))


@pytest.mark.parametrize(("stop", "save_freq", "at"), [(7, 3, 6), (9, 2, 8), (12, 3, 9), (10, 3, 3)])
def test_a_training_that_is_resumed_goes_on_in_its_stage(tmp_path, stop, save_freq, at):
    """At a stage's end, inside a stage, before the last stage, and two stages behind."""
    run = Steered(tmp_path)
    with pytest.raises(KeyboardInterrupt):
        run.train(options(tmp_path, save_freq=save_freq), stop=stop)
    before = run.trajectory
    again = Steered(tmp_path)
    trajectory = again.train(resumed(tmp_path, at))
    told = [s for s in before.states if s.feedback is not None]
    assert [s.feedback for s in trajectory.states[: len(told)]] == [s.feedback for s in told]
    assert [s.weights for s in trajectory.states[: len(before.states)]] == [s.weights for s in before.states]
    assert [s.report.extra["trainer iteration"] for s in trajectory.states] == [0, 3, 6, 9]
    expected = [trajectory.states[min(1 + n // 3, 3)].weights.values() for n in range(at, 12)]
    assert again.weights == expected


def test_killed_between_checkpoint_and_validation_the_stage_is_told_at_once(tmp_path, monkeypatch):
    whole = Steered(tmp_path / "whole").train(options(tmp_path / "whole"))
    run = Steered(tmp_path)
    plain = Model.nondist_validation

    def dies(self, dataloader, current_iter, *rest):
        if current_iter == 6:
            raise KeyboardInterrupt
        plain(self, dataloader, current_iter, *rest)

    with monkeypatch.context() as patch:
        patch.setattr(Model, "nondist_validation", dies)
        with pytest.raises(KeyboardInterrupt):
            run.train(options(tmp_path))
    assert [s.feedback is not None for s in run.trajectory.states] == [True, True, False]
    trajectory = Steered(tmp_path).train(resumed(tmp_path, 6))
    assert trajectory.states[2].feedback == whole.states[2].feedback
    assert [s.report.iterations for s in trajectory.states] == [0, 3, 3, 3]


def test_a_run_may_begin_at_a_checkpoint_but_not_go_on_before_its_beginning(tmp_path):
    train_pipeline(options(tmp_path, total=6))
    trajectory = Steered(tmp_path, stages=2).train(resumed(tmp_path, 6))
    assert [s.report.extra["trainer iteration"] for s in trajectory.states] == [6, 9, 12]
    with pytest.raises(Refused, match="goes on from iteration 3, before the steering of this run began"):
        Steered(tmp_path, stages=2).train(resumed(tmp_path, 3))


def test_a_folder_of_another_loop_is_refused(tmp_path):
    run = Steered(tmp_path)
    model = Model(options(tmp_path))
    negatives = {name: 255 - pixels for name, pixels in pixels_of(run.references).items()}
    with lossagent.steer(
        tmp_path / "run", weights_on(model), metric="psnr", references=run.references, agent="random", stages=3
    ) as steering:
        steering.tell(0, images=negatives)
    with pytest.raises(Refused, match="not told by a trainer of this family"):
        run.train(options(tmp_path))


def test_a_loss_of_which_nothing_is_logged_is_said(tmp_path):
    run = Steered(tmp_path, stages=1, logs={"pix": "l_pixel"})
    with pytest.warns(UserWarning, match="logged nothing for pix"):
        trajectory = run.train(options(tmp_path))
    assert set(trajectory.last.report.losses) == {"perceptual"}


def built(tmp_path, **more):
    opt = options(tmp_path)
    model, loaders = Model(opt), little_sr.create_train_val_dataloader(opt)[2]
    steering = lossagent.steer(
        tmp_path / "run", weights_on(model), goal=MISS, score="elsewhere", agent="random", stages=3, **more
    )
    return model, steering, loaders


MISS = {"targets": [{"metric": "miss", "direction": "lower", "unit": 0.01}]}


def test_what_cannot_be_steered_is_refused_before_training(tmp_path):
    model, steering, loaders = built(tmp_path)
    with pytest.raises(Refused, match=r"multiple of the trainer's val_freq \(3\).*found 4"):
        steer_model(model, steering, loaders, every=4)
    with pytest.raises(Refused, match="found none"):
        steer_model(model, steering, [])
    with pytest.raises(Refused, match=r"method validation\(\); SimpleNamespace has none"):
        steer_model(
            SimpleNamespace(cri_pix=model.cri_pix, cri_perceptual=model.cri_perceptual), steering, loaders, every=3
        )
    model.opt = {"val": {"val_freq": 3}}
    with pytest.raises(Refused, match="visualization"):
        steer_model(model, steering, loaders, images="files")
    model.opt = {}
    with pytest.raises(Refused, match="no val: val_freq"):
        steer_model(model, steering, loaders)


def test_a_hook_that_comes_too_late_is_refused(tmp_path):
    train_pipeline(options(tmp_path, total=3))
    model, steering, loaders = built(tmp_path)
    model.resume_training(torch.load(tmp_path / "states" / "3.state", weights_only=True))
    with pytest.raises(Refused, match="before resume_training"):
        steer_model(model, steering, loaders)


def test_a_second_steering_of_a_model_is_refused(tmp_path):
    model, steering, loaders = built(tmp_path)
    steer_model(model, steering, loaders)
    with pytest.raises(Refused, match="steered already"):
        steer_model(model, steering, loaders)


def test_a_steering_that_goes_back_is_refused(tmp_path):
    model, steering, loaders = built(tmp_path, can_restart=True)
    with pytest.raises(Refused, match="can_restart=False"):
        steer_model(model, steering, loaders)


def test_a_module_that_is_no_trainer_is_refused():
    what = "math must have the functions create_train_val_dataloader and build_model"
    with pytest.raises(Refused, match=what), hooked(math, print):
        pass


def test_the_module_is_as_before_afterwards(tmp_path):
    before = (LITTLE.build_model, LITTLE.create_train_val_dataloader)
    Steered(tmp_path, stages=1).train(options(tmp_path, total=3))
    assert (LITTLE.build_model, LITTLE.create_train_val_dataloader) == before


@pytest.mark.slow
def test_two_processes_have_the_same_weights_and_tell_once(tmp_path):
    here = Path(__file__).parent
    paths = [str(here.parents[1] / "src"), str(here.parent), str(here)]
    command = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", str(here / "two_sr.py")]
    done = subprocess.run(
        [sys.executable, *command, str(tmp_path)],
        env=os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": os.pathsep.join(paths)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    first, second = (json.loads((tmp_path / f"{rank}.json").read_text()) for rank in (0, 1))
    assert first == second
    trajectory = read_trajectory(tmp_path / "run")
    assert first == [trajectory.states[min(1 + n // 3, 3)].weights.values() for n in range(12)]
    assert [s.report.iterations for s in trajectory.states] == [0, 3, 3, 3]
