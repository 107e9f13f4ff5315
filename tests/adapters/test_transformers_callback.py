"""transformers: when stages begin and end, what is told, and how a training goes on."""

import pytest
import torch
from little_steering import LOSSES, WILD, little

pytest.importorskip("transformers", reason="transformers is not installed: pip install 'lossagent[hf]'")

from safetensors.torch import load_file
from trained import Point, score, trainer

from lossagent import Every
from lossagent.adapters.transformers import SteeringCallback
from lossagent.errors import Interrupted, Refused
from lossagent.letters import StopRun
from lossagent.mailbox import post


def steered(folder, *, every=None, agent="random", look=score, **more):
    """A steering, its callback and a trainer."""
    steering = little(folder, agent=agent, stages=more.pop("stages", 4))
    callback = SteeringCallback(steering, every or Every(steps=3), score=look)
    made, criterion = trainer(folder.parent / "kept", steering, callback, **more)
    callback._criterion = criterion
    return steering, callback, made


def test_stages_end_by_steps_and_training_with_the_last_one(tmp_path):
    steering, _, made = steered(tmp_path / "run")
    made.train()
    states = steering.trajectory.states
    assert [s.report.iterations for s in states] == [0, 3, 3, 3, 3]
    assert made.state.global_step == 12
    assert set(states[-1].report.losses) == set(states[-1].report.evidence.image_norms) == set(LOSSES)
    assert states[2].weights != states[1].weights


def test_a_fixed_agent_trains_as_a_trainer_without_it_does(tmp_path):
    steering, _, made = steered(tmp_path / "run", agent="fixed", stages=2)
    made.train()
    plain, _ = trainer(tmp_path / "plain", steering, max_steps=6)
    plain.train()
    assert torch.equal(made.model.place, plain.model.place)


def test_scores_are_asked_for_in_evaluation_mode(tmp_path):
    seen = []

    def look(net):
        seen.append((net.training, torch.is_grad_enabled()))
        return score(net)

    _, _, made = steered(tmp_path / "run", stages=2, look=look)
    made.train()
    assert seen == [(False, False)] * 3
    assert made.model.training


@pytest.mark.parametrize(("every", "iterations"), [(Every(steps=2), 2), (Every(epochs=2), 4)])
def test_accumulated_batches_are_one_step(tmp_path, every, iterations):
    steering, _, made = steered(tmp_path / "run", every=every, stages=2, gradient_accumulation_steps=2)
    made.train()
    assert [s.report.iterations for s in steering.trajectory.states] == [0, iterations, iterations]
    assert made.state.global_step == 2 * iterations


def test_a_training_that_is_resumed_is_the_one_that_was_not_cut(tmp_path):
    whole, _, expected = steered(tmp_path / "whole")
    expected.train()
    steering, _, made = steered(tmp_path / "run", save_strategy="steps", save_steps=5, max_steps=8)
    made.train()  # the steps behind the checkpoint are lost, and a stage with them
    steering.close()
    steering, _, made = steered(tmp_path / "run")
    made.train(resume_from_checkpoint=str(tmp_path / "kept" / "checkpoint-5"))
    told = [s for s in steering.trajectory.states if s.feedback is not None]
    assert [s.weights for s in told] == [s.weights for s in whole.trajectory.states]
    assert [s.feedback for s in told] == [s.feedback for s in whole.trajectory.states]
    assert torch.equal(made.model.place, expected.model.place)


def test_a_folder_that_is_ahead_of_the_network_is_refused(tmp_path):
    steering, _, made = steered(tmp_path / "run", max_steps=4)
    made.train()
    steering.close()
    _, _, made = steered(tmp_path / "run")
    with pytest.raises(Refused, match=r"at state 1, .*resume_from_checkpoint"):
        made.train()


def test_where_the_agent_goes_back_network_and_optimizer_go_back(tmp_path):
    steering = little(tmp_path / "run", agent=WILD, can_restart=True, stages=6)
    folder, net, compared = tmp_path / "run" / "checkpoints", Point(), []

    class Watch(SteeringCallback):
        """Compares what is trained with the snapshot of where the stage starts."""

        def on_step_begin(self, args, state, control, **kwargs):
            at = self.state()["attributes"]
            if not at["steps"]:
                saved = load_file(folder / f"state-{at['at']:04d}" / "tensors.safetensors")
                assert torch.equal(net.place, saved["model.place"])
                moments = kwargs["optimizer"].state_dict()["state"]
                assert bool(moments) == (at["at"] > 0)
                compared.append((at["at"], at["inside"]))

    callback = Watch(steering, Every(steps=4), score=score, snapshots=folder)
    trainer(tmp_path / "kept", steering, callback, net=net)[0].train()
    assert len(compared) == 6
    assert any(parent != state - 1 for parent, state in compared)


def test_a_stop_from_outside_ends_the_training(tmp_path):
    def look(net):
        if callback.ended_by is None and steering.newest == 0:
            post(tmp_path / "run", StopRun(author="me"))
        return score(net)

    steering, callback, made = steered(tmp_path / "run", look=look)
    made.train()
    assert isinstance(callback.ended_by, Interrupted)
    assert made.state.global_step == 3
    assert len(steering.trajectory.scored) == 2


@pytest.mark.parametrize(
    ("more", "what"), [({}, "exactly one"), ({"score": score, "parts": {"net": torch.nn.Identity()}}, "folder")]
)
def test_what_makes_no_sense_is_refused_at_once(tmp_path, more, what):
    with pytest.raises(Refused, match=what):
        SteeringCallback(little(tmp_path / "run"), Every(steps=3), **more)
