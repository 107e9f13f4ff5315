"""A trainer's model whose loss weights follow a steering from validation to validation."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Literal, cast

import torch

from lossagent.adapters.basicsr.hooks import Method, method_of, replace
from lossagent.adapters.basicsr.logged import LossLog
from lossagent.adapters.basicsr.options import data_set_of, option, stage_length
from lossagent.adapters.basicsr.pictures import passing, validation_images
from lossagent.adapters.basicsr.resuming import ITERATION, position
from lossagent.adapters.basicsr.weights import chosen_places
from lossagent.errors import Refused
from lossagent.loops import Shared
from lossagent.objectives.given import GivenImage
from lossagent.records import Stage, StageReport
from lossagent.steering import Steering

Images = Literal["memory", "files"]
STEERED = "lossagent_steered"
"""Attribute of a model that is steered."""


def steer_model(
    model: object,
    steering: Steering | Shared,
    loaders: object,
    *,
    every: int | None = None,
    weights: Mapping[str, str] | None = None,
    logs: Mapping[str, str] | None = None,
    images: Images = "memory",
) -> SteeredModel:
    """Makes the loss weights of a trainer's model follow a steering; the trainer then runs as it always does.

    Put it between the trainer's ``build_model`` and its ``resume_training``::

        model = build_model(opt)
        steer_model(model, lossagent.steer("runs/mine", weights_on(model), metric="niqe"), val_loaders)

    Before the first step the network is validated, which is S_0, and the weights of the first stage are put on the
    model. A stage ends with the first validation at least ``every`` iterations after its beginning: what was restored
    in it is told, with the raw losses, and the next weights are put on the model. After the last stage the trainer
    goes on under the last weights for as long as its own configuration says.

    Args:
        model: what ``build_model`` returned; its losses are there.
        steering: from :func:`lossagent.steer`, whose losses are the model's; a :class:`lossagent.Shared` in a
            distributed job, where every process makes this call.
        loaders: the validation loader, or the list of them, whose images are the feedback images; further ones that
            the trainer validates are left alone.
        every: iterations of a stage; by default, and at least, the trainer's ``val_freq``.
        weights: loss name -> where the model has its weight, e.g. ``{"l1": "cri_pix.loss_weight"}``; needed only
            where the names are not the model's, see :func:`find_weights`.
        logs: loss name -> its key in the trainer's log, where that is not found by the loss's name.
        images: ``memory`` takes restored images as they pass through the model; ``files`` reads those that the
            validation wrote.

    Raises:
        Refused: not a model of this family; losses that are not on it; no loader; a length that cannot be.
    """
    return SteeredModel(
        model,
        steering if isinstance(steering, Shared) else Shared.alone(steering),
        _loaders(loaders),
        every=stage_length(model, every),
        weights=weights,
        logs=logs,
        images=images,
    )


class SteeredModel:
    """What :func:`steer_model` returns: where the stages of the trainer are."""

    def __init__(
        self,
        model: object,
        steering: Shared,
        loaders: Sequence[object],
        *,
        every: int,
        weights: Mapping[str, str] | None,
        logs: Mapping[str, str] | None,
        images: Images,
    ) -> None:
        if steering.can_restart:
            raise Refused(
                "the trainer counts its iterations itself and cannot go back to an earlier state: say "
                "can_restart=False, and take an agent that goes on from the newest state alone."
            )
        self.steering, self.every = steering, every
        self._model, self._loaders, self._images = model, loaders, images
        self._places = chosen_places(model, steering.weights.names, weights)
        self._log = LossLog(model, self._places, logs)
        self._stage: Stage | None = None
        self._begun = self._over = self._looking = False
        self._resumed: int | None = None
        self._at = self._since = self._steps = 0
        self._began = time.monotonic()
        self._seen: dict[int, dict[str, GivenImage]] = {}
        self._folder = _folder(model) if images == "files" else None
        if hasattr(model, STEERED):
            raise Refused("the model is steered already: one steering has all its losses.")
        if any(getattr(optimizer, "state", None) for optimizer in getattr(model, "optimizers", ())):
            raise Refused(
                "the model's optimizers have made steps already: call steer_model right after the trainer's "
                "build_model(), before resume_training(), which says where training goes on."
            )
        self._validate = method_of(model, "validation")
        heard: dict[str, Callable[[Method], Method]] = {
            "resume_training": self._resuming,
            "feed_data": self._feeding,
            "optimize_parameters": self._stepping,
            "validation": self._validating,
        }
        for name in (*heard, "get_current_visuals"):
            method_of(model, name)  # all of them are there, or nothing is touched
        for name, make in heard.items():
            replace(model, name, make)
        setattr(model, STEERED, self)

    @property
    def over(self) -> bool:
        """Whether all stages are told."""
        return self._over

    @property
    def stage(self) -> Stage | None:
        """The stage that is being trained; ``None`` before the first and after the last."""
        return self._stage

    @property
    def weights(self) -> dict[str, float]:
        """Loss name -> weight in force, 0 where it is off."""
        return self.steering.weights.values()

    # -- what the trainer calls ---------------------------------------------------------------------------

    def _resuming(self, resume: Method) -> Method:
        def resume_training(resume_state: Mapping[str, Any], *rest: Any, **more: Any) -> Any:  # noqa: ANN401  (theirs)
            self._resumed = int(resume_state["iter"])
            return resume(resume_state, *rest, **more)

        return resume_training

    def _feeding(self, feed: Method) -> Method:
        def feed_data(*given: Any, **more: Any) -> Any:  # noqa: ANN401  (theirs)
            if not self._looking:
                self._begin()  # before the batch is on the model: a validation takes its place
            return feed(*given, **more)

        return feed_data

    def _stepping(self, optimize: Method) -> Method:
        def optimize_parameters(*given: Any, **more: Any) -> Any:  # noqa: ANN401  (theirs)
            with self._log.step():
                result = optimize(*given, **more)
            self._steps += 1
            return result

        return optimize_parameters

    def _validating(self, validate: Method) -> Method:
        def validation(dataloader: object, current_iter: int, *rest: Any, **more: Any) -> Any:  # noqa: ANN401  (theirs)
            number = next((n for n, loader in enumerate(self._loaders) if loader is dataloader), None)
            due = self._stage is not None and self._steps > 0 and current_iter - self._since >= self.every
            call = partial(validate, dataloader, current_iter, *rest, **more)
            if number is None or not due:
                return self._aside(call)
            result = self._look(number, current_iter, call)
            if len(self._seen) == len(self._loaders):
                self._end(current_iter)
            return result

        return validation

    # -- inside -------------------------------------------------------------------------------------------

    def _begin(self) -> None:
        """S_0, or the place in the run that the trainer's own checkpoint belongs to."""
        if self._begun:
            if self._stage is None and not self._over:
                self._next()  # it was refused for a while, by a person: training without new weights is no stage
            return
        now = self._resumed or 0
        trajectory = self.steering.trajectory
        if trajectory.start.feedback is None:
            self._at, self._since = 0, now
            self.steering.tell(0, images=self._validated(now), report=StageReport(extra={ITERATION: now}))
        else:
            self._at, self._since = position(trajectory, now)
        self._begun = True
        self._next()
        if self._stage is not None and now - self._since >= self.every:
            # it ended after the checkpoint of the stage's last iteration, and before the validation that follows it
            self._validated(now)
            self._end(now)

    def _validated(self, iteration: int) -> dict[str, GivenImage]:
        """A validation of our own, which must not change what training draws."""
        save = self._images == "files"
        with torch.random.fork_rng(devices=[]):
            for number, loader in enumerate(self._loaders):
                self._look(number, iteration, partial(self._validate, loader, iteration, None, save))
        return self._restored()

    def _look(self, number: int, iteration: int, validate: Method) -> Any:  # noqa: ANN401  (theirs)
        with passing(self._model, pixels=self._folder is None) as seen:
            result = self._aside(validate)
        images: Mapping[str, GivenImage] = seen.pixels
        if self._folder is not None and seen.names:  # only process 0 validates
            images = validation_images(self._folder, iteration, names=seen.names)
        self._seen[number] = dict(images)
        return result

    def _aside(self, validate: Method) -> Any:  # noqa: ANN401  (theirs)
        self._looking = True
        try:
            return validate()
        finally:
            self._looking = False

    def _restored(self) -> dict[str, GivenImage]:
        """The feedback images; where there are several data sets, a name has that of its set before it."""
        if len(self._loaders) == 1:
            return self._seen[0]
        return {
            f"{data_set_of(self._loaders[n], n)}-{name}": image
            for n, images in self._seen.items()
            for name, image in images.items()
        }

    def _end(self, iteration: int) -> None:
        assert self._stage is not None
        weights = self.steering.weights
        report = StageReport(
            iterations=iteration - self._since,
            losses=self._log.means(weights),
            seconds=time.monotonic() - self._began,
            extra={ITERATION: iteration},
        )
        if self._steps and (missing := self._log.missing(weights)):
            warnings.warn(
                f"the trainer has logged nothing for {', '.join(missing)}: the raw values of these losses are not "
                "told. Name their keys in its log (logs=...).",
                stacklevel=2,
            )
        self.steering.tell(self._stage.state, images=self._restored(), report=report)
        self._at, self._since, self._stage = self._stage.state, iteration, None
        self._next()

    def _next(self) -> None:
        self._stage = self.steering.ask(self._at)
        self._over = self._stage is None
        weights = self.steering.weights
        for place in self._places:
            place.write(self._model, weights[place.name])
        self._log.reset()
        self._seen.clear()
        self._steps, self._began = 0, time.monotonic()


def _folder(model: object) -> Path:
    found = option(model, "path", "visualization")
    if not found:
        raise Refused(
            "images='files' needs the folder that the trainer writes to (opt path: visualization); found none."
        )
    return Path(str(found))


def _loaders(given: object) -> tuple[object, ...]:
    loaders = tuple(cast("Iterable[object]", given)) if isinstance(given, list | tuple) else (given,)
    if not loaders or any(loader is None for loader in loaders):
        raise Refused("loaders must be the trainer's validation loaders; found none. Give it a data set to validate.")
    return loaders
