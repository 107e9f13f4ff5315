"""The built-in trainer: stages on one device, bit-exact from checkpoints."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import torch
from torch import Tensor

from lossagent.data import Batch, Prefetcher
from lossagent.errors import Damaged, Diverged, Interrupted
from lossagent.losses import LossRepository
from lossagent.losses import evidence as measure
from lossagent.objectives.base import Pixels
from lossagent.records import Evidence, Stage, StageReport
from lossagent.training import checkpoints
from lossagent.training.interrupts import Stop
from lossagent.training.losslog import LossLog, cut_back
from lossagent.training.networks import Networks
from lossagent.training.pictures import Pictures
from lossagent.training.randomness import EVIDENCE_WINDOW, saved_generators, seed_everything, window
from lossagent.training.settings import TrainingSettings
from lossagent.training.step import Stepper, prepared
from lossagent.weights import Weights


@runtime_checkable
class Sampler(Protocol):
    """A source of batches: which data comes depends on (seed, window, iteration) alone."""

    def batch(self, window: int, iteration: int, batch_size: int) -> Batch:
        """The batch of an iteration of a window."""
        ...


Progress = Callable[[Stage, int, int], None]
"""Called with the stage, iterations done and iterations in all."""


class Trainer:
    """Trains stages for :func:`lossagent.optimise`.

    Args:
        networks: what is trained, in the state before S_0.
        repository: the losses.
        sampler: training data.
        pictures: restores, stores and reads the feedback images.
        settings: how to train.
        run: the run folder.
        seed: seed of data and draws.
        device: where the networks are.
        rank: process number; it only enters the generators.
        stop: a request to stop, looked at after each step.
        progress: called after each iteration.
        warn: called with sentences for the reader of the run.
    """

    def __init__(
        self,
        *,
        networks: Networks,
        repository: LossRepository,
        sampler: Sampler,
        pictures: Pictures,
        settings: TrainingSettings,
        run: Path,
        seed: int,
        device: torch.device,
        rank: int = 0,
        stop: Stop | None = None,
        progress: Progress | None = None,
        warn: Callable[[str], None] | None = None,
    ) -> None:
        self.networks, self.repository, self.sampler, self.pictures = networks, repository, sampler, pictures
        self.settings, self.run_folder, self.seed, self.device, self.rank = settings, run, seed, device, rank
        self.stop = stop or Stop()
        self.progress: Progress = progress or _silent
        self.warn: Callable[[str], None] = warn or (lambda text: None)
        self._stepper = Stepper(networks, repository, settings, device)
        self._at: int | None = None
        self._idle: tuple[str, ...] = ()

    # -- what the loop needs ------------------------------------------------------------------------------

    def start_from(self, state: int | None) -> None:
        """Restores everything of a state; ``None`` is the state before S_0, in which a trainer begins."""
        if state is None:
            assert self._at is None, "S_0 is taken once, by a new trainer"
            return
        if state != self._at:
            self._load(self._folder(state))
        self._at = state

    def run(self, stage: Stage) -> StageReport:
        """Trains a stage; its checkpoint and restored images are on disk on return.

        A signal to stop is held back until the stage is saved, inside it or at its end, and recorded.

        Raises:
            Interrupted: stopped on request, after saving inside the stage.
            Diverged: too many steps in a row were skipped.
            Failed: the checkpoint could not be written.
        """
        self.stop.hold()
        try:
            return self._run(stage)
        except BaseException:
            self.stop.release()
            raise

    def _run(self, stage: Stage) -> StageReport:
        began = time.perf_counter()
        warmups = self._warmups(stage)
        total = warmups + (self.settings.iterations if stage.weights is not None else 0)
        log = LossLog(
            self.run_folder / "losses.jsonl",
            stage.state,
            self.settings.learning_rate,
            self.settings.batch,
            self.settings.max_skipped,
        )
        first, spent = self._resume_inside(stage, log)
        cut_back(self.run_folder / "losses.jsonl", stage.state, first)
        self._at = None  # until the stage is whole, the networks are in no recorded state
        waited = self._train(stage, log, first, total, warmups, spent, began)
        trained = time.perf_counter()
        evidence = self._evidence()
        measured = time.perf_counter() - trained
        report = StageReport(
            iterations=total,
            losses=log.means("raw/"),
            evidence=evidence,
            checkpoint=self.networks.sha256(),
            skipped=log.skipped,
            clipped=log.clipped,
            seconds=time.perf_counter() - began + spent,
            waited=waited,
            extra={f"discriminator/{n}": v for n, v in log.means("discriminator/").items()}
            | {"seconds/evidence": measured},
        )
        return self._keep(stage, report)

    def restored(self, stage: Stage) -> Mapping[str, Pixels]:
        """The restored feedback images of a trained stage, from disk; made again where they are damaged.

        Raises:
            Interrupted: stopped on request at the end of the stage, which is recorded by now.
        """
        self.stop.release()
        if self.stop.requested:
            raise Interrupted(f"stopped at the end of {stage.name}; saved.")
        folder = self.run_folder / "images" / stage.name
        try:
            return self.pictures.read(folder)
        except Damaged as error:
            self.warn(f"{error} The images of {stage.name} are restored again.")
            self.start_from(stage.state)
            self.pictures.write(self.networks.scored, folder)
            return self.pictures.read(folder)

    # -- a stage ------------------------------------------------------------------------------------------

    def _warmups(self, stage: Stage) -> int:
        """Discriminator steps before the stage proper: S_0's, and those of a loss that comes back."""
        names = tuple(self.networks.opponents)
        if stage.weights is None:
            self._idle = names
            return self.settings.warmup if names else 0
        weights = stage.weights
        rested = self.settings.idle_discriminator == "warmup"
        before = self._weights_of_parent(stage) if rested else None
        self._idle = tuple(n for n in names if before is not None and weights[n] > 0 and n in before.off)
        return self.settings.warmup if self._idle else 0

    def _weights_of_parent(self, stage: Stage) -> Weights | None:
        if stage.parent is None:
            return None
        text = checkpoints.load_state(self._folder(stage.parent)).get("weights")
        return Weights.model_validate(text) if text else None

    def _train(
        self, stage: Stage, log: LossLog, first: int, total: int, warmups: int, spent: float, began: float
    ) -> float:
        number = window(stage.depth, stage.replicate)
        self.networks.restorer.train()
        for opponent in self.networks.opponents.values():
            opponent.discriminator.train()

        def make(iteration: int) -> Batch:
            return self.sampler.batch(number, iteration, self.settings.batch)

        workers = self.settings.workers
        if workers is None:
            workers = 0 if self.device.type == "cpu" else 2
        with Prefetcher(make, first, total, depth=2 + workers, workers=workers) as batches:
            for iteration, batch in enumerate(batches, start=first):
                seed_everything(self.seed, number, iteration, self.rank)
                if stage.weights is None or iteration < warmups:
                    values = self._stepper.warmup_step(batch, self._idle)
                else:
                    values = self._stepper.restorer_step(batch, stage.weights)
                log.add(iteration, batch.names, values)
                done = iteration + 1
                stopping = self.stop.requested and done < total  # read once: a signal may come at any moment
                if done % self.settings.log_every == 0 or done == total:
                    self._flush(log)
                if done < total and (stopping or done % self.settings.partial_every == 0):
                    self._save_inside(stage, log, done, spent + time.perf_counter() - began)
                self.progress(stage, done, total)
                if stopping:
                    raise Interrupted(f"stopped after iteration {done} of {total} of {stage.name}; saved.")
            return batches.waited

    def _flush(self, log: LossLog) -> None:
        before = log.skipped
        for text in log.flush():
            self.warn(text)
        if log.skipped > before and not self.networks.finite_buffers():
            raise Diverged("a running statistic of a network is not finite; the last good checkpoint is intact.")

    def _evidence(self) -> Evidence:
        count = self.settings.evidence_batches
        if count == 0:
            return Evidence()
        pairs: list[tuple[Tensor, Tensor]] = []
        for index in range(count):
            batch = self.sampler.batch(EVIDENCE_WINDOW, index, self.settings.batch)
            pairs.append(
                (prepared(batch.lq, self.device, self.settings), prepared(batch.hq, self.device, self.settings))
            )
        with saved_generators():
            return measure(self.networks.restorer, self.repository, pairs)

    # -- on disk ------------------------------------------------------------------------------------------

    def _folder(self, state: int) -> Path:
        return self.run_folder / "checkpoints" / f"state-{state:04d}"

    @property
    def _partial(self) -> Path:
        return self.run_folder / "checkpoints" / "partial"

    def _load(self, folder: Path) -> dict[str, Any]:
        tensors, state = checkpoints.load(folder)
        self.networks.load(tensors, state)
        return state

    def _keep(self, stage: Stage, report: StageReport) -> StageReport:
        """Writes checkpoint and images; the event that follows says that they are whole."""
        began = time.perf_counter()
        weights = stage.weights.model_dump(mode="json") if stage.weights is not None else None
        state = {**self.networks.state(), "state": stage.state, "weights": weights}
        checkpoints.save(self._folder(stage.state), self.networks.tensors(), state)
        saved = time.perf_counter()
        hashes = self.pictures.write(self.networks.scored, self.run_folder / "images" / stage.name)
        shutil.rmtree(self._partial, ignore_errors=True)
        self._at = stage.state
        extra = {
            **report.extra,
            "seconds/checkpoint": saved - began,
            "seconds/restore": time.perf_counter() - saved,
        }
        return report.model_copy(update={"images": hashes, "extra": extra})

    def _save_inside(self, stage: Stage, log: LossLog, done: int, seconds: float) -> None:
        self._flush(log)
        weights = stage.weights.model_dump(mode="json") if stage.weights is not None else None
        state = {
            **self.networks.state(),
            "state": stage.state,
            "weights": weights,
            "iteration": done,
            "log": log.state_dict(),
            "spent": seconds,
        }
        checkpoints.save(self._partial, self.networks.tensors(), state)

    def _resume_inside(self, stage: Stage, log: LossLog) -> tuple[int, float]:
        """(first iteration, seconds spent) from the rolling checkpoint, if there is one of this stage."""
        if not checkpoints.exists(self._partial):
            return 0, 0.0
        weights = stage.weights.model_dump(mode="json") if stage.weights is not None else None
        try:
            tensors, state = checkpoints.load(self._partial)
        except Damaged as error:  # found before anything was loaded into the networks
            self.warn(f"the rolling checkpoint is damaged, the stage begins anew: {error}")
            return 0, 0.0
        if state["state"] != stage.state or state["weights"] != weights:
            return 0, 0.0
        self.networks.load(tensors, state)
        log.load_state_dict(state["log"])
        return int(state["iteration"]), float(state["spent"])


def _silent(stage: Stage, done: int, total: int) -> None:
    del stage, done, total
