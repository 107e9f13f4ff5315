"""A callback for Lightning's Trainer::

steering = lossagent.steer("runs/mine", {"l1": 1.0, "gan": 0.01}, metric="niqe")
callback = SteeringCallback(steering, Every(steps=500), restore=lambda module: {n: module(x) for n, x in inputs})
Trainer(callbacks=[callback]).fit(module, batches)     # module.criterion = WeightedSum(steering, ...)
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from torch.optim import Optimizer

from lossagent.adapters._stages import Given, Stages, criterion_in, evaluating, exactly_one
from lossagent.errors import MissingPackage, Refused
from lossagent.loops import Every, Snapshots, Stateful, WeightedSum
from lossagent.loops.course import Scores
from lossagent.objectives.given import GivenImages
from lossagent.training.ranks import PATIENCE, Ranks
from lossagent.weights import Weights

try:
    from lightning.pytorch import Callback, LightningModule, Trainer
    from lightning.pytorch.callbacks import WeightAveraging
    from lightning.pytorch.strategies import DDPStrategy, SingleDeviceStrategy
    from lightning_utilities.core.rank_zero import rank_zero_warn
except ImportError as error:
    raise MissingPackage("lightning", "lightning", "lossagent.adapters.lightning") from error


class SteeringCallback(Callback):
    """Takes a fit through the stages of a steering.

    S_0 is scored when training starts: after the sanity check, and after a checkpoint was loaded. A stage ends behind
    the batch that completes it. Where the fit is in its stages is kept in Lightning's checkpoints:
    ``fit(ckpt_path=...)`` goes on from there; stages that came after the checkpoint are given again, under the same
    weights.

    With ``fast_dev_run`` the images or scores are asked for once, and nothing is told.

    Where people are waited for or somebody stops the run, training ends as by early stopping, with a warning; see
    :attr:`ended_by`.

    Args:
        steering: the steering; or, needed where there are several processes, a function that makes it, which process
            0 calls when a fit is set up. Then :class:`lossagent.WeightedSum` follows this callback, and is made in
            ``LightningModule.setup``.
        every: how long a stage lasts. Epochs are Lightning's.
        restore: module -> restored feedback images; called on process 0, in evaluation mode, without gradients, at the
            precision of validation.
        score: module -> scores instead, for a steering with ``score="elsewhere"``.
        criterion: whose means and gradients are told; by default the module's only ``WeightedSum``, if it has one.
        optimizer: number of the optimizer whose steps count, for modules with several (GANs).
        snapshots: folder for a checkpoint of each state (module, optimizers, learning rate schedulers, precision,
            averages of ``WeightAveraging`` callbacks), which a steering that restarts goes back to. One device or DDP.
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
        restore: Callable[[LightningModule], GivenImages] | None = None,
        score: Callable[[LightningModule], Scores] | None = None,
        criterion: WeightedSum | None = None,
        optimizer: int | None = None,
        snapshots: Path | str | None = None,
        parts: Mapping[str, Stateful] | None = None,
        stop: bool = True,
    ) -> None:
        exactly_one(restore, score)
        if parts and snapshots is None:
            raise Refused("parts are what snapshots hold beside the module: name the folder of the snapshots.")
        self._stages = Stages(steering, every, "Resume with fit(..., ckpt_path=...)")
        self._restore, self._score, self._criterion = restore, score, criterion
        self._optimizer, self._snapshots, self._parts, self._stop = optimizer, snapshots, dict(parts or {}), stop
        self._steps = 0
        self._unhook: Callable[[], None] | None = None

    @property
    def weights(self) -> Weights:
        """The weights to train with now.

        Raises:
            Refused: the steering is made when a fit is set up, and none was.
        """
        return self._stages.weights

    @property
    def ended_by(self) -> BaseException | None:
        """The ``Waiting`` or ``Interrupted`` that ended the fit before its last stage."""
        return self._stages.ended_by

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Opens the steering, before ``LightningModule.setup``."""
        if stage == "fit":
            self._stages.open(_ranks(trainer))

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Scores the network before training, unless that was told.

        Raises:
            Refused: see :meth:`lossagent.Course.begin`; no word about which of several optimizers counts; the run
                folder is ahead of the module, and neither a checkpoint nor snapshots bring the module there.
        """
        self._listen(trainer.optimizers)
        restore, score = self._restore, self._score

        def seen(look: Callable[[LightningModule], Any]) -> Any:  # noqa: ANN401  (images or scores)
            with evaluating(pl_module), trainer.precision_plugin.val_step_context():
                return look(pl_module)

        if trainer.fast_dev_run:  # pyright: ignore[reportAttributeAccessIssue]  (it is there)
            with torch.no_grad():
                seen(restore) if restore is not None else score is not None and seen(score)
            return
        self._stages.begin(
            restore=None if restore is None else lambda: seen(restore),
            score=None if score is None else lambda: seen(score),
            criterion=self._criterion or criterion_in(pl_module),
            snapshots=self._snapshots_of(trainer, pl_module),
        )
        self._look(trainer, new=True)

    def on_train_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        outputs: object,
        batch: object,
        batch_idx: int,
    ) -> None:
        """Counts the optimizer steps of the batch; a stage may end."""
        steps, self._steps = self._steps, 0
        if steps:
            self._look(trainer, new=self._stages.step(steps))

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Counts the epoch; a stage may end."""
        self._look(trainer, new=self._stages.epoch())

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Counts no further."""
        self._deaf()

    def on_exception(self, trainer: Trainer, pl_module: LightningModule, exception: BaseException) -> None:
        """Lets go of the run folder, if it was opened here."""
        self._deaf()
        self._stages.close()

    def teardown(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Lets go of the run folder, if it was opened here; a further fit goes on."""
        if stage == "fit":
            self._stages.close()

    def state_dict(self) -> dict[str, Any]:
        """Where the fit is in its stages."""
        return self._stages.state()

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Goes on from there when training starts."""
        self._stages.load(state_dict)

    def __deepcopy__(self, memo: Mapping[int, object]) -> SteeringCallback:
        """Itself: a copy of a module that follows it, such as an average of weights, follows the same one."""
        return self

    # -- inside -------------------------------------------------------------------------------------------

    def _look(self, trainer: Trainer, new: bool) -> None:
        """Ends training where nothing is left to train; logs the weights of a new stage."""
        if (ended_by := self.ended_by) is not None:
            if not trainer.should_stop:
                rank_zero_warn(f"Training stops before its last stage: {ended_by}")
            trainer.should_stop = True
        elif self._stages.finished:
            trainer.should_stop = trainer.should_stop or self._stop
        elif new:
            values = {f"weight/{name}": value for name, value in self.weights.values().items()}
            for logger in trainer.loggers:
                logger.log_metrics(values, step=trainer.global_step)

    def _listen(self, optimizers: list[Optimizer]) -> None:
        if self._optimizer is None and len(optimizers) != 1:
            raise Refused(f"the module has {len(optimizers)} optimizers: say whose steps count, e.g. optimizer=0.")
        number = self._optimizer or 0
        if not 0 <= number < len(optimizers):
            raise Refused(f"optimizer must be from 0 to {len(optimizers) - 1}; found {number}.")
        self._deaf()
        self._steps = 0
        # Lightning's global_step counts the steps of every optimizer, and those that a scaler has skipped.
        self._unhook = optimizers[number].register_step_post_hook(self._count).remove

    def _count(self, optimizer: Optimizer, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        self._steps += 1

    def _deaf(self) -> None:
        if self._unhook is not None:
            self._unhook()
            self._unhook = None

    def _snapshots_of(self, trainer: Trainer, module: LightningModule) -> Snapshots | None:
        if self._snapshots is None:
            return None
        if not isinstance(trainer.strategy, SingleDeviceStrategy | DDPStrategy):
            raise Refused(
                f"snapshots need a whole module in each process: one device or DDP; found "
                f"{type(trainer.strategy).__name__}. Take a steering that does not restart, without snapshots."
            )
        schedulers = [config.scheduler for config in trainer.lr_scheduler_configs]
        return Snapshots(
            self._snapshots,
            module=_Whole(trainer, module),
            precision=trainer.precision_plugin,
            **{f"optimizer{number}": optimizer for number, optimizer in enumerate(trainer.optimizers)},
            **{f"scheduler{number}": scheduler for number, scheduler in enumerate(schedulers)},
            **self._parts,
        )


class _Whole:
    """A module as Lightning's checkpoints have it: with what its own hooks and averaging callbacks put in."""

    def __init__(self, trainer: Trainer, module: LightningModule) -> None:
        self._trainer, self._module = trainer, module

    def state_dict(self) -> dict[str, Any]:
        """The module, and averages of it."""
        checkpoint: dict[str, Any] = {"state_dict": self._module.state_dict()}
        self._module.on_save_checkpoint(checkpoint)
        for callback in self._averaging():
            callback.on_save_checkpoint(self._trainer, self._module, checkpoint)
        return checkpoint

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """The reverse, in Lightning's order."""
        self._module.on_load_checkpoint(state_dict)
        self._module.load_state_dict(state_dict["state_dict"], strict=self._module.strict_loading)
        for callback in self._averaging():
            callback.on_load_checkpoint(self._trainer, self._module, state_dict)

    def _averaging(self) -> list[WeightAveraging]:
        callbacks: list[Callback] = self._trainer.callbacks  # pyright: ignore[reportAttributeAccessIssue]  (it is there)
        return [callback for callback in callbacks if isinstance(callback, WeightAveraging)]


def _ranks(trainer: Trainer) -> Ranks:
    """The trainer's processes, however they were started."""
    if trainer.world_size == 1:
        return Ranks()
    if not dist.is_initialized():
        raise Refused(f"{type(trainer.strategy).__name__} does not speak through torch.distributed: take DDP.")
    control = dist.new_group(backend="gloo", timeout=PATIENCE)
    assert isinstance(control, dist.ProcessGroup)
    return Ranks(trainer.global_rank, trainer.world_size, trainer.strategy.root_device, control)
