"""Lightning: fits that are stopped, resumed and sent back to earlier states."""

import warnings

import pytest
import torch
from little_steering import WILD, little

pytest.importorskip("lightning", reason="Lightning is not installed: pip install 'lossagent[lightning]'")

from lightning.pytorch.callbacks import EMAWeightAveraging, ModelCheckpoint
from pulled import QUIETED, Adversaries, Pulled, Scheduled, batches, score, trainer
from safetensors.torch import load_file

from lossagent import Every
from lossagent.adapters.lightning import SteeringCallback
from lossagent.errors import Interrupted, Refused
from lossagent.letters import StopRun
from lossagent.mailbox import post

pytestmark = [pytest.mark.filterwarnings(quiet) for quiet in QUIETED]


def kept(folder):
    return ModelCheckpoint(folder, filename="{step}", every_n_train_steps=1, save_top_k=-1)


def steered(folder, kind=Pulled, *callbacks, steps=4, every=None, **more):
    """A steering, its module and a trainer that takes at most so many steps."""
    steering = little(folder)
    callback = SteeringCallback(steering, every or Every(steps=4), score=score, **more)
    return steering, kind(steering), trainer(folder, callback, *callbacks, max_steps=steps)


@pytest.mark.parametrize("cut", [6, 8])  # inside a stage, and at the end of one
def test_a_fit_that_is_resumed_is_the_one_that_was_not_cut(tmp_path, cut):
    whole, expected, fit = steered(tmp_path / "whole", steps=-1)
    fit.fit(expected, batches())
    steering, module, fit = steered(tmp_path / "cut", Pulled, kept(tmp_path / "kept"), steps=11)
    fit.fit(module, batches())  # two stages and three steps, of which all behind the checkpoint are lost
    steering.close()
    steering, module, fit = steered(tmp_path / "cut", steps=-1)
    fit.fit(module, batches(), ckpt_path=tmp_path / "kept" / f"step={cut}.ckpt")
    told = [s for s in steering.trajectory.states if s.feedback is not None]
    assert [s.weights for s in told] == [s.weights for s in whole.trajectory.states]
    assert [s.feedback for s in told] == [s.feedback for s in whole.trajectory.states]
    assert torch.equal(module.place, expected.place)


@pytest.mark.parametrize(
    ("when", "step"),
    [
        ({"every_n_train_steps": 1}, 3),  # inside an epoch
        ({"save_on_train_epoch_end": True}, 2),
        ({"save_on_train_epoch_end": False}, 2),  # behind validation, before the epoch is over
    ],
)
def test_epochs_are_counted_on(tmp_path, when, step):
    saves = ModelCheckpoint(tmp_path / "kept", filename="{step}", save_top_k=-1, **when)
    steering, module, fit = steered(tmp_path / "run", Pulled, saves, steps=5, every=Every(epochs=2))
    fit.fit(module, batches(2), batches(1))
    steering.close()
    steering, module, fit = steered(tmp_path / "run", steps=-1, every=Every(epochs=2))
    fit.fit(module, batches(2), batches(1), ckpt_path=tmp_path / "kept" / f"step={step}.ckpt")
    assert fit.global_step == 16
    assert len(steering.trajectory.scored) == 5


def test_a_folder_that_is_ahead_of_the_module_is_refused(tmp_path):
    steering, module, fit = steered(tmp_path / "run", steps=5)
    fit.fit(module, batches())
    steering.close()
    _, module, fit = steered(tmp_path / "run")
    with pytest.raises(Refused, match=r"at state 1, .* ckpt_path"):
        fit.fit(module, batches())


def test_a_further_fit_of_the_same_trainer_goes_on(tmp_path):
    steering, module, fit = steered(tmp_path / "run", steps=6)
    fit.fit(module, batches())
    fit.fit_loop.epoch_loop.max_steps = 16
    fit.fit(module, batches())
    assert [s.report.iterations for s in steering.trajectory.scored] == [0, 4, 4, 4, 4]


@pytest.mark.parametrize("kind", [Scheduled, Adversaries])
def test_where_the_agent_goes_back_everything_goes_back(tmp_path, kind):
    steering = little(tmp_path / "run", agent=WILD, can_restart=True, stages=6)
    folder = tmp_path / "run" / "checkpoints"
    average, extra = EMAWeightAveraging(decay=0.5), torch.nn.Linear(2, 2)

    class Watch(SteeringCallback):
        """Compares what is trained with the snapshot of where the stage starts."""

        back = 0

        def compare(self, trainer, module):
            state = self.state_dict()
            if state["steps"] or trainer.should_stop:
                return
            saved = load_file(folder / f"state-{state['at']:04d}" / "tensors.safetensors")
            assert torch.equal(extra.weight, saved["extra.weight"])
            assert torch.equal(module.place, saved["module.current_model_state.place"])
            assert torch.equal(average._average_model.module.place, saved["module.state_dict.place"])
            for number, optimizer in enumerate(trainer.optimizers):
                moments = optimizer.state_dict()["state"]
                assert (f"optimizer{number}.state.0.exp_avg" in saved) == bool(moments)
                if moments:
                    assert torch.equal(moments[0]["exp_avg"], saved[f"optimizer{number}.state.0.exp_avg"])
            if kind is Scheduled:
                steps = 4 * steering.trajectory.states[state["at"]].depth
                assert trainer.optimizers[0].param_groups[0]["lr"] == pytest.approx(0.05 * 0.9**steps)
            self.back += state["at"] != state["inside"] - 1

        def on_train_start(self, trainer, pl_module):
            super().on_train_start(trainer, pl_module)
            self.compare(trainer, pl_module)

        def on_train_batch_end(self, trainer, pl_module, outputs, batch, batch_idx):
            torch.nn.init.normal_(extra.weight)  # it learns, by its own means
            super().on_train_batch_end(trainer, pl_module, outputs, batch, batch_idx)
            self.compare(trainer, pl_module)

    callback = Watch(steering, Every(steps=4), score=score, optimizer=0, snapshots=folder, parts={"extra": extra})
    trainer(tmp_path, average, callback).fit(kind(steering), batches())
    assert callback.back > 0
    assert len(steering.trajectory.scored) == 7


def test_a_checkpoint_inside_a_stage_that_was_given_up_goes_back_to_where_the_next_one_starts(tmp_path):
    folder = tmp_path / "run"

    def run(steps, **more):
        steering = little(folder, agent=WILD, can_restart=True, stages=6)
        callback = SteeringCallback(steering, Every(steps=4), score=score, snapshots=folder / "checkpoints")
        fit = trainer(tmp_path, callback, kept(tmp_path / "kept"), max_steps=steps)
        fit.fit(Pulled(steering), batches(), **more)
        steering.close()
        return steering.trajectory

    before = run(14)
    after = run(-1, ckpt_path=tmp_path / "kept" / "step=6.ckpt")
    assert after.states[: len(before.states) - 1] == before.states[:-1]
    assert [s.report.iterations for s in after.states] == [0, 4, 4, 4, 4, 4, 4]


def test_a_stop_from_outside_ends_the_fit_and_a_resume_goes_on(tmp_path):
    steering = little(tmp_path / "run")

    def scored_and_stopped(module):
        if module.trainer.global_step == 8:
            post(tmp_path / "run", StopRun(author="me"))
        return score(module)

    callback = SteeringCallback(steering, Every(steps=4), score=scored_and_stopped)
    fit = trainer(tmp_path, callback, kept(tmp_path / "kept"))
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        fit.fit(Pulled(steering), batches())
    assert any("before its last stage" in str(warning.message) for warning in said)
    assert isinstance(callback.ended_by, Interrupted)
    assert fit.global_step == 8
    steering.close()
    steering, module, fit = steered(tmp_path / "run", steps=-1)
    fit.fit(module, batches(), ckpt_path=tmp_path / "kept" / "step=8.ckpt")
    assert [s.report.iterations for s in steering.trajectory.scored] == [0, 4, 4, 4, 4]
    assert fit.global_step == 16
