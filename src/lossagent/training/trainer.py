"""The built-in trainer: stages on one or many devices, bit-exact from checkpoints."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from lossagent.data import Batch, Prefetcher
from lossagent.errors import Damaged, Diverged, Failed, Interrupted
from lossagent.losses import LossRepository
from lossagent.objectives.base import Pixels
from lossagent.records import Stage, StageReport
from lossagent.training import checkpoints
from lossagent.training.interrupts import Stop
from lossagent.training.losslog import LossLog, cut_back
from lossagent.training.measuring import measured
from lossagent.training.networks import Networks
from lossagent.training.pictures import Pictures
from lossagent.training.randomness import seed_everything, window
from lossagent.training.sampler import Sampler
from lossagent.training.settings import TrainingSettings
from lossagent.training.step import Stepper
from lossagent.weights import Weights

STOPPING, BROKEN = 1, 2
"""What a process may say before a step; the largest word counts."""

Progress = Callable[[Stage, int, int], None]
"""Called with the stage, iterations done and iterations in all."""


class Trainer:
    """Trains stages for :func:`lossagent.optimise`.

    With several processes each has a trainer, and every method is called on all of them with the same arguments (see
    :class:`lossagent.training.crew.Crew`); process 0 alone reads and writes the run folder.

    Args:
        networks: what is trained, in the state before S_0, and the processes that train it.
        repository: the losses.
        sampler: training data.
        pictures: restores, stores and reads the feedback images.
        settings: how to train.
        run: the run folder.
        seed: seed of data and draws.
        device: where the networks are.
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
        stop: Stop | None = None,
        progress: Progress | None = None,
        warn: Callable[[str], None] | None = None,
    ) -> None:
        self.networks, self.repository, self.sampler, self.pictures = networks, repository, sampler, pictures
        self.settings, self.run_folder, self.seed, self.device = settings, run, seed, device
        self.ranks = networks.ranks
        self.stop = stop or Stop()
        self.progress: Progress = progress or _silent
        self.warn: Callable[[str], None] = warn or (lambda text: None)
        self._stepper = Stepper(networks, repository, settings, device)
        self._at: int | None = None
        self._idle: tuple[str, ...] = ()
        self._noticed: set[str] = set()

    # -- what the loop needs ------------------------------------------------------------------------------

    def start_from(self, state: int | None) -> None:
        """Restores everything of a state; ``None`` is the state before S_0, in which a trainer begins."""
        if state is None:
            assert self._at is None, "S_0 is taken once, by a new trainer"
            if self.ranks.size > 1:
                self.networks.load(*self.ranks.from_main(self._everything))
            return
        self.wake()
        if state != self._at:
            self._load(self._folder(state))
        self._at = state

    def rest(self) -> None:
        """Frees the accelerator while nothing is to be done; the next start reads everything from disk again."""
        self._at = None
        self.networks.rest()
        self._move_losses(torch.device("cpu"))

    def wake(self) -> None:
        """Brings back what :meth:`rest` took off the accelerator."""
        self.networks.wake(self.device)
        self._move_losses(self.device)

    def _move_losses(self, device: torch.device) -> None:
        for loss in self.repository.losses.values():
            if isinstance(loss, nn.Module):
                loss.to(device)

    def run(self, stage: Stage) -> StageReport:
        """Trains a stage; its checkpoint and restored images are on disk on return.

        A signal to stop is held back until the stage is saved, inside it or at its end, and recorded.

        Raises:
            Interrupted: stopped on request, after saving inside the stage.
            Diverged: too many steps in a row were skipped.
            Failed: the checkpoint could not be written, or the processes have come apart.
        """
        self.stop.hold()
        try:
            return self._run(stage)
        except BaseException:
            self.stop.release()
            raise

    def _run(self, stage: Stage) -> StageReport:
        began = time.perf_counter()
        warmups, self._idle = self.ranks.from_main(lambda: self._warmups(stage))
        total = warmups + (self.settings.iterations if stage.weights is not None else 0)
        file = self.run_folder / "losses.jsonl" if self.ranks.main else None
        log = LossLog(
            file,
            stage.state,
            self.settings.learning_rate,
            self.settings.batch,
            self.settings.max_skipped,
            self.ranks,
        )
        first, spent = self._resume_inside(stage, log)
        self._require_equal(stage)
        self.ranks.from_main(lambda: cut_back(self.run_folder / "losses.jsonl", stage.state, first))
        self._at = None  # until the stage is whole, the networks are in no recorded state
        waited = self._train(stage, log, first, total, warmups, spent, began)
        self.networks.take_buffers()
        ended = time.perf_counter()
        evidence = measured(
            self._stepper, self.repository, self.sampler, self.settings.evidence_batches, self.settings.batch
        )
        measuring = time.perf_counter() - ended
        report = StageReport(
            iterations=total,
            losses=log.means("raw/"),
            evidence=evidence,
            checkpoint=self.networks.sha256(),
            skipped=log.skipped,
            clipped=log.clipped,
            seconds=time.perf_counter() - began + spent,
            waited=max(self.ranks.gather(waited)),
            extra={f"discriminator/{n}": v for n, v in log.means("discriminator/").items()}
            | {"seconds/evidence": measuring},
        )
        return self._keep(stage, report)

    def settle(self, stage: Stage) -> None:
        """Lets signals interrupt again after a stage; one that was held back interrupts here.

        Raises:
            Interrupted: stopped on request at the end of the stage, which is recorded by now.
        """
        self.stop.release()
        if self.stop.requested:
            raise Interrupted(f"stopped at the end of {stage.name}; saved.")

    def restored(self, stage: Stage) -> Mapping[str, Pixels]:
        """The restored feedback images of a trained stage, from disk; made again where they are damaged.

        Raises:
            Interrupted: stopped on request at the end of the stage, which is recorded by now.
        """
        self.settle(stage)
        return self.read(stage)

    def read(self, stage: Stage) -> Mapping[str, Pixels]:
        """The restored feedback images of a trained stage on process 0; see :meth:`restored`."""
        folder = self.run_folder / "images" / stage.name
        found: dict[str, Pixels] = {}

        def look() -> str | None:
            try:
                found.update(self.pictures.read(folder))
            except Damaged as error:
                return str(error)
            return None

        damage = self.ranks.from_main(look)
        if damage is None:
            return found
        self.warn(f"{damage} The images of {stage.name} are restored again.")
        self.start_from(stage.state)
        self.pictures.write(self.networks.scored, folder)
        return self.pictures.read(folder) if self.ranks.main else {}

    # -- a stage ------------------------------------------------------------------------------------------

    def _warmups(self, stage: Stage) -> tuple[int, tuple[str, ...]]:
        """Discriminator steps before the stage proper, and whose: all at S_0, and those of a loss that comes back."""
        names = tuple(self.networks.opponents)
        if stage.weights is None:
            return (self.settings.warmup if names else 0), names
        weights = stage.weights
        rested = self.settings.idle_discriminator == "warmup"
        before = self._weights_of_parent(stage) if rested else None
        back = tuple(n for n in names if before is not None and weights[n] > 0 and n in before.off)
        return (self.settings.warmup if back else 0), back

    def _weights_of_parent(self, stage: Stage) -> Weights | None:
        if stage.parent is None:
            return None
        text = checkpoints.load_state(self._folder(stage.parent)).get("weights")
        return Weights.model_validate(text) if text else None

    def _require_equal(self, stage: Stage) -> None:
        """Raises Failed where the processes do not hold the same networks."""
        if self.ranks.size == 1:
            return
        hashes = self.ranks.gather(self.networks.everything_sha256())
        if different := [rank for rank, found in enumerate(hashes) if found != hashes[0]]:
            raise Failed(
                f"at the start of {stage.name} process {different[0]} has other networks than process 0. "
                "Processes must run the same versions on the same kind of device; the last checkpoint is intact."
            )

    def _train(
        self, stage: Stage, log: LossLog, first: int, total: int, warmups: int, spent: float, began: float
    ) -> float:
        number = window(stage.depth, stage.replicate)
        before = max(stage.depth - 1, 0) * self.settings.iterations - warmups
        slot, count = self.ranks.share(self.settings.batch, self.settings.accumulate)
        self._stepper.mean_gradients.renew()
        self.networks.restorer.train()
        for opponent in self.networks.opponents.values():
            opponent.discriminator.train()

        def make(iteration: int) -> Batch:
            return self.sampler.batch(number, iteration, self.settings.batch, slot, count)

        workers = self.settings.workers
        if workers is None:
            workers = 0 if self.device.type == "cpu" else 2
        with Prefetcher(make, first, total, depth=2 + workers, workers=workers) as batches:
            for iteration in range(first, total):
                batch, stopping = self._next(batches)
                if stopping:
                    self._save_inside(stage, log, iteration, spent + time.perf_counter() - began)
                    raise Interrupted(f"stopped after iteration {iteration} of {total} of {stage.name}; saved.")
                seed_everything(self.seed, number, iteration, self.ranks.rank)
                warming_up = stage.weights is None or iteration < warmups
                rate = self.networks.set_rates(max(before + iteration, 0), warming_up=warming_up)
                if stage.weights is None or iteration < warmups:
                    values = self._stepper.warmup_step(batch, self._idle)
                else:
                    values = self._stepper.restorer_step(batch, stage.weights)
                log.add(iteration, batch.names, values, rate)
                done = iteration + 1
                if done % self.settings.log_every == 0 or done == total:
                    self._flush(log)
                if done < total and done % self.settings.partial_every == 0:
                    self._save_inside(stage, log, done, spent + time.perf_counter() - began)
                self.progress(stage, done, total)
            return batches.waited

    def _next(self, batches: Iterator[Batch]) -> tuple[Batch, bool]:
        """The next batch, if every process has one, and whether any was asked to stop before it."""
        try:
            batch = next(batches)
        except Exception as error:
            self.ranks.most(BROKEN)
            self.ranks.agree(error)
            raise
        answer = self.ranks.most(STOPPING if self.stop.requested else 0)
        if answer == BROKEN:
            self.ranks.agree(None)
        return batch, answer == STOPPING

    def _flush(self, log: LossLog) -> None:
        before = log.skipped
        for text in log.flush():
            self.warn(text)
        for text in (text for texts in self.ranks.gather(self.sampler.notices()) for text in texts):
            if text not in self._noticed:  # several processes may meet the same image
                self._noticed.add(text)
                self.warn(text)
        if log.skipped > before and self.ranks.any(not self.networks.finite_buffers()):
            raise Diverged("a running statistic of a network is not finite; the last good checkpoint is intact.")

    # -- on disk ------------------------------------------------------------------------------------------

    def _folder(self, state: int) -> Path:
        return self.run_folder / "checkpoints" / f"state-{state:04d}"

    @property
    def _partial(self) -> Path:
        return self.run_folder / "checkpoints" / "partial"

    def _load(self, folder: Path) -> None:
        self.networks.load(*self.ranks.from_main(lambda: checkpoints.load(folder)))

    def _everything(self) -> tuple[dict[str, dict[str, Tensor]], dict[str, Any]]:
        tensors = self.networks.tensors()
        return {file: {n: t.detach().cpu() for n, t in group.items()} for file, group in tensors.items()}, (
            self.networks.state()
        )

    def _keep(self, stage: Stage, report: StageReport) -> StageReport:
        """Writes checkpoint and images; the event that follows says that they are whole."""
        began = time.perf_counter()
        weights = stage.weights.model_dump(mode="json") if stage.weights is not None else None
        state = {**self.networks.state(), "state": stage.state, "weights": weights}
        self.ranks.from_main(lambda: checkpoints.save(self._folder(stage.state), self.networks.tensors(), state))
        saved = time.perf_counter()
        hashes = self.pictures.write(self.networks.scored, self.run_folder / "images" / stage.name)
        if self.ranks.main:
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
        self.ranks.from_main(lambda: checkpoints.save(self._partial, self.networks.tensors(), state))

    def _resume_inside(self, stage: Stage, log: LossLog) -> tuple[int, float]:
        """(first iteration, seconds spent) from the rolling checkpoint, if there is one of this stage."""
        found = self.ranks.from_main(lambda: self._rolling(stage))
        if found is None:
            return 0, 0.0
        tensors, state = found
        self.networks.load(tensors, state)
        log.load_state_dict(state["log"])
        return int(state["iteration"]), float(state["spent"])

    def _rolling(self, stage: Stage) -> tuple[dict[str, dict[str, Tensor]], dict[str, Any]] | None:
        if not checkpoints.exists(self._partial):
            return None
        weights = stage.weights.model_dump(mode="json") if stage.weights is not None else None
        try:
            tensors, state = checkpoints.load(self._partial)
        except Damaged as error:  # found before anything was loaded into the networks
            self.warn(f"the rolling checkpoint is damaged, the stage begins anew: {error}")
            return None
        return (tensors, state) if state["state"] == stage.state and state["weights"] == weights else None


def _silent(stage: Stage, done: int, total: int) -> None:
    del stage, done, total
