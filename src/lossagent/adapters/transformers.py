"""A callback for the Trainer of Hugging Face transformers::

steering = lossagent.steer("runs/mine", {"l1": 1.0, "fft": 0.1}, metric="niqe")
criterion = WeightedSum(steering, {"l1": L1(), "fft": FFT()})
loss = lambda outputs, labels, num_items_in_batch=None: criterion(outputs.reconstruction, labels)
callback = SteeringCallback(steering, Every(steps=500), restore=..., criterion=criterion)
Trainer(model, arguments, train_dataset=pairs, compute_loss_func=loss, callbacks=[callback]).train()
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, cast

from torch import nn

from lossagent.adapters._stages import Given, Stages, criterion_in, evaluating, exactly_one
from lossagent.errors import MissingPackage, Refused
from lossagent.loops import Every, Snapshots, Stateful, WeightedSum
from lossagent.loops.course import Scores
from lossagent.objectives.given import GivenImages
from lossagent.training.ranks import Ranks
from lossagent.weights import Weights

try:
    from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments
    from transformers.trainer_callback import ExportableState
except ImportError as error:
    raise MissingPackage("transformers", "hf", "lossagent.adapters.transformers") from error


class SteeringCallback(TrainerCallback, ExportableState):
    """Takes a training through the stages of a steering.

    S_0 is scored when training begins. Where it is in its stages is kept in the Trainer's checkpoints
    (``trainer_state.json``): ``train(resume_from_checkpoint=...)`` goes on from there; stages that came after the
    checkpoint are given again, under the same weights.

    Where people are waited for or somebody stops the run, training ends; see :attr:`ended_by`.

    Args:
        steering: the steering; or, needed where there are several processes, a function that makes it, which process
            0 calls when training begins.
        every: how long a stage lasts; steps are the Trainer's ``global_step``.
        restore: network -> restored feedback images; called on process 0, in evaluation mode, without gradients.
        score: network -> scores instead, for a steering with ``score="elsewhere"``.
        criterion: whose means and gradients are told; by default the network's only ``WeightedSum``, if it has one.
        snapshots: folder for a checkpoint of each state (network, optimizer, learning rate scheduler), which a
            steering that restarts goes back to.
        parts: what else the snapshots hold, by name.
        stop: whether training ends with the last stage; it goes on under the last weights otherwise.

    Raises:
        Refused: not exactly one of ``restore`` and ``score``; ``parts`` without ``snapshots``.
    """

    def __init__(
        self,
        steering: Given,
        every: Every,
        *,
        restore: Callable[[nn.Module], GivenImages] | None = None,
        score: Callable[[nn.Module], Scores] | None = None,
        criterion: WeightedSum | None = None,
        snapshots: Path | str | None = None,
        parts: Mapping[str, Stateful] | None = None,
        stop: bool = True,
    ) -> None:
        exactly_one(restore, score)
        if parts and snapshots is None:
            raise Refused("parts are what snapshots hold beside the network: name the folder of the snapshots.")
        self._stages = Stages(steering, every, "Resume with train(resume_from_checkpoint=...)")
        self._restore, self._score, self._criterion = restore, score, criterion
        self._snapshots, self._parts, self._stop = snapshots, dict(parts or {}), stop
        self._counted = 0

    @property
    def weights(self) -> Weights:
        """The weights to train with now.

        Raises:
            Refused: the steering is made when training begins, and that is not yet.
        """
        return self._stages.weights

    @property
    def ended_by(self) -> BaseException | None:
        """The ``Waiting`` or ``Interrupted`` that ended training before its last stage."""
        return self._stages.ended_by

    def on_train_begin(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        **kwargs: Any,  # noqa: ANN401  (the Trainer's)
    ) -> None:
        """Scores the network before training, unless that was told.

        Raises:
            Refused: see :meth:`lossagent.Course.begin`; the run folder is ahead of the network, and neither a
                checkpoint nor snapshots bring the network there.
            Waiting, Interrupted: for people, or stopped by one, before the first step.
        """
        model: nn.Module = kwargs["model"]
        self._stages.open(Ranks.join() if args.world_size > 1 else Ranks())
        if found := _attributes(state):
            self._stages.load(found)
        restore, score = self._restore, self._score

        def seen(look: Callable[[nn.Module], Any]) -> Any:  # noqa: ANN401  (images or scores)
            with evaluating(model):
                return look(model)

        self._counted = state.global_step
        self._stages.begin(
            restore=None if restore is None else lambda: seen(restore),
            score=None if score is None else lambda: seen(score),
            criterion=self._criterion or criterion_in(model),
            snapshots=self._snapshots_of(args, kwargs),
        )
        if self._stages.ended_by is not None:
            raise self._stages.ended_by  # a flag would be read behind the first step
        self._end(control)

    def on_step_end(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        **kwargs: Any,  # noqa: ANN401  (the Trainer's)
    ) -> None:
        """Counts the optimizer step; a stage may end."""
        steps, self._counted = state.global_step - self._counted, state.global_step
        self._stages.step(steps)
        self._end(control)

    def on_epoch_end(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        **kwargs: Any,  # noqa: ANN401  (the Trainer's)
    ) -> None:
        """Counts the epoch; a stage may end."""
        self._stages.epoch()
        self._end(control)

    def on_train_end(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        **kwargs: Any,  # noqa: ANN401  (the Trainer's)
    ) -> None:
        """Lets go of the run folder, if it was opened here."""
        self._stages.close()

    def state(self) -> dict[str, Any]:
        """Where training is, in the form of the Trainer's checkpoints."""
        return {"args": {}, "attributes": self._stages.state()}

    # -- inside -------------------------------------------------------------------------------------------

    def _end(self, control: TrainerControl) -> None:
        if self.ended_by is not None or (self._stages.finished and self._stop):
            control.should_training_stop = True

    def _snapshots_of(self, args: TrainingArguments, parts: Mapping[str, Any]) -> Snapshots | None:
        if self._snapshots is None:
            return None
        if args.deepspeed or args.fsdp:
            raise Refused(
                "snapshots need a whole network in each process: neither DeepSpeed nor FSDP. Take a steering that "
                "does not restart, without snapshots."
            )
        return Snapshots(
            self._snapshots,
            model=parts["model"],
            optimizer=parts["optimizer"],
            scheduler=parts["lr_scheduler"],
            **self._parts,
        )


def _attributes(state: TrainerState) -> dict[str, Any]:
    """What a checkpoint that is resumed from says; empty for a new training."""
    saved: dict[str, Any] = cast("dict[str, Any]", state.stateful_callbacks or {}).get(SteeringCallback.__name__, {})
    return saved.get("attributes", {})
