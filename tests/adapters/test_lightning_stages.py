"""Lightning: when stages begin and end, what is told, and what it leaves as it was."""

import csv
from pathlib import Path

import pytest
import torch
from little_steering import LOSSES, little

pytest.importorskip("lightning", reason="Lightning is not installed: pip install 'lossagent[lightning]'")

from pulled import QUIETED, Adversaries, Pulled, batches, score, trainer

from lossagent import Every
from lossagent.adapters.lightning import SteeringCallback
from lossagent.errors import Refused
from lossagent.runs import RunFolder

pytestmark = [pytest.mark.filterwarnings(quiet) for quiet in QUIETED]


def test_stages_end_by_optimizer_steps_and_the_fit_with_the_last_one(tmp_path):
    steering = little(tmp_path / "run")
    fit = trainer(tmp_path, SteeringCallback(steering, Every(steps=3), score=score))
    fit.fit(Pulled(steering), batches())
    states = steering.trajectory.states
    assert [s.report.iterations for s in states] == [0, 3, 3, 3, 3]
    assert fit.global_step == 12
    assert set(states[-1].report.losses) == set(states[-1].report.evidence.image_norms) == set(LOSSES)
    assert states[2].weights != states[1].weights


def test_a_fixed_agent_trains_as_a_fit_without_it_does(tmp_path):
    steering = little(tmp_path / "run", agent="fixed", stages=2)
    steered, plain = Pulled(steering), Pulled(steering)
    trainer(tmp_path, SteeringCallback(steering, Every(steps=3), score=score)).fit(steered, batches())
    trainer(tmp_path, max_steps=6).fit(plain, batches())
    assert torch.equal(steered.place, plain.place)


def test_scores_are_asked_for_in_evaluation_mode_and_never_in_the_sanity_check(tmp_path):
    steering = little(tmp_path / "run", stages=2)
    module, seen = Pulled(steering), []

    def look(module):
        seen.append(
            (module.trainer.global_step, module.training, torch.is_grad_enabled(), module.trainer.sanity_checking)
        )
        return score(module)

    trainer(tmp_path, SteeringCallback(steering, Every(steps=2), score=look)).fit(module, batches(), batches())
    assert seen == [(0, False, False, False), (2, False, False, False), (4, False, False, False)]
    assert module.training
    assert not module.frozen.training  # what was frozen stays so


def test_a_fast_dev_run_scores_once_and_tells_nothing(tmp_path):
    steering = little(tmp_path / "run", stages=2)
    seen = []

    def look(module):
        seen.append(module.trainer.global_step)
        return score(module)

    fit = trainer(tmp_path, SteeringCallback(steering, Every(steps=2), score=look), fast_dev_run=4)
    fit.fit(Pulled(steering), batches())
    assert seen == [0]
    assert steering.newest is None


def test_accumulated_batches_are_one_step(tmp_path):
    steering = little(tmp_path / "run", stages=2)
    module, seen = Pulled(steering), []
    training_step = module.training_step
    module.training_step = lambda batch: seen.append(1) or training_step(batch)
    callback = SteeringCallback(steering, Every(steps=2), score=score)
    trainer(tmp_path, callback, accumulate_grad_batches=3).fit(module, batches(6))
    assert [s.report.iterations for s in steering.trajectory.states] == [0, 2, 2]
    assert len(seen) == 12


def test_of_several_optimizers_one_counts(tmp_path):
    steering = little(tmp_path / "run", stages=2)
    module = Adversaries(steering)
    with pytest.raises(Refused, match="2 optimizers"):
        trainer(tmp_path, SteeringCallback(steering, Every(steps=3), score=score)).fit(module, batches())
    with pytest.raises(Refused, match="from 0 to 1"):
        trainer(tmp_path, SteeringCallback(steering, Every(steps=3), score=score, optimizer=2)).fit(module, batches())
    fit = trainer(tmp_path, SteeringCallback(steering, Every(steps=3), score=score, optimizer=0))
    fit.fit(module, batches())
    assert [s.report.iterations for s in steering.trajectory.states] == [0, 3, 3]
    assert fit.global_step == 18  # three in each batch


def test_stages_end_by_epochs(tmp_path):
    steering = little(tmp_path / "run", stages=2)
    fit = trainer(tmp_path, SteeringCallback(steering, Every(epochs=2), score=score))
    fit.fit(Pulled(steering), batches(5))
    assert [s.report.iterations for s in steering.trajectory.states] == [0, 10, 10]
    assert fit.current_epoch == 4


def test_training_goes_on_behind_the_last_stage_where_it_is_told_to(tmp_path):
    steering = little(tmp_path / "run", stages=2)
    fit = trainer(tmp_path, SteeringCallback(steering, Every(steps=3), score=score, stop=False), max_epochs=3)
    fit.fit(Pulled(steering), batches())
    assert fit.global_step == 12
    assert len(steering.trajectory.scored) == 3


def test_a_function_is_called_when_the_fit_is_set_up_and_what_it_made_is_closed(tmp_path):
    callback = SteeringCallback(lambda: little(tmp_path / "run", stages=2), Every(steps=3), score=score)
    with pytest.raises(Refused, match="before training begins"):
        _ = callback.weights
    module = Pulled(callback)
    trainer(tmp_path, callback).fit(module, batches())
    with RunFolder.open(tmp_path / "run") as log:
        assert len(log.events) > 4
    assert set(callback.weights.names) == set(LOSSES)


def test_weights_go_to_the_loggers(tmp_path):
    from lightning.pytorch.loggers import CSVLogger

    steering = little(tmp_path / "run", stages=3)
    logger = CSVLogger(tmp_path)
    callback = SteeringCallback(steering, Every(steps=2), score=score)
    trainer(tmp_path, callback, logger=logger).fit(Pulled(steering), batches())
    with (Path(logger.log_dir) / "metrics.csv").open() as file:
        rows = [row for row in csv.DictReader(file) if row["weight/near"]]
    weights = [s.weights.values()["near"] for s in steering.trajectory.states[1:]]
    assert [int(row["step"]) for row in rows] == [0, 2, 4]
    assert [float(row["weight/near"]) for row in rows] == pytest.approx(weights)


@pytest.mark.parametrize(
    ("more", "what"),
    [
        ({}, "exactly one"),
        ({"score": score, "restore": score}, "exactly one"),
        ({"score": score, "parts": {"net": torch.nn.Identity()}}, "folder"),
    ],
)
def test_what_makes_no_sense_is_refused_at_once(tmp_path, more, what):
    with pytest.raises(Refused, match=what):
        SteeringCallback(little(tmp_path / "run"), Every(steps=3), **more)
