"""The response model: what a stage does to every number of a state."""

from __future__ import annotations

import json
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydantic import ValidationError

from lossagent.errors import Damaged, Refused
from lossagent.records import Record
from lossagent.runs import write_atomically
from lossagent.simulator.channels import Channel
from lossagent.simulator.features import Scale, history_columns, weight_columns
from lossagent.simulator.images import ImageModel
from lossagent.simulator.readout import Readouts
from lossagent.simulator.recorded import Setting
from lossagent.simulator.transitions import Array, Space
from lossagent.weights import Weights

VERSION = 1


class Response(Record):
    """How one number responds, on the scale of its channel.

    change = rate (equilibrium(x) - value) + drift(depth) + delay (change that led to the parent) + noise, where
    rate x (equilibrium(x) - S_0) = intercept + linear z + quadratic z z, z the standardised log-ratios x, and
    drift = first where depth is 1 + late log(depth). A mean over a stage has no memory: its value is the right side
    with rate 1, from 0.

    Attributes:
        channel: which number.
        start, start_spread: mean and standard deviation of S_0 over the runs; unused without memory.
        intercept, linear, quadratic, first, late, rate, delay: coefficients.
        spread: standard deviation of the training noise, from stages of runs that the fit had not seen.
        stages: stages that it was fitted to.
    """

    channel: Channel
    start: float
    start_spread: float
    intercept: float
    linear: tuple[float, ...]
    quadratic: tuple[float, ...]
    first: float
    late: float
    rate: float
    delay: float
    spread: float
    stages: int


class Model(Record):
    """A response model of recorded runs. Whatever comes from it is simulated.

    Attributes:
        setting: what the runs have in common.
        anchor, losses: log-ratios of ``losses`` are taken to ``anchor``.
        scale: of the log-ratios.
        responses: one a number.
        correlation: of the training noise of the numbers: a state's luck is shared.
        shared: share of the noise's variance that stages on the same training data have in common.
        feedback, selection: the images of the two sets.
        readouts: test scores.
        runs, stages: how many it was fitted to.
        notes: what a reader should know, one sentence each.
        version: of this format.
    """

    setting: Setting
    anchor: str
    losses: tuple[str, ...]
    scale: Scale
    responses: tuple[Response, ...]
    correlation: tuple[tuple[float, ...], ...]
    shared: float
    feedback: ImageModel
    selection: ImageModel | None
    readouts: Readouts
    runs: int
    stages: int
    notes: tuple[str, ...] = ()
    version: int = VERSION

    @property
    def space(self) -> Space:
        """Of the log-ratios."""
        return Space(self.anchor, self.losses)

    @property
    def channels(self) -> tuple[Channel, ...]:
        """The numbers of a state, in order."""
        return tuple(r.channel for r in self.responses)

    @cached_property
    def starts(self) -> Array:
        """(c,) S_0."""
        return np.array([r.start for r in self.responses])

    @cached_property
    def spreads(self) -> Array:
        """(c,) of the training noise."""
        return np.array([r.spread for r in self.responses])

    @cached_property
    def factor(self) -> Array:
        """(c, c) Cholesky factor of the noise's covariance."""
        c = len(self.responses)
        return self.spreads[:, None] * np.linalg.cholesky(np.array(self.correlation).reshape(c, c))

    @cached_property
    def _remembers(self) -> Array:
        return np.array([float(r.channel.remembers) for r in self.responses])

    @cached_property
    def _coefficients(self) -> tuple[Array, Array, Array]:
        """Of linear (p, c) and quadratic (q, c) columns of the weights, and of the history (5, c)."""
        every = self.responses
        linear = np.array([r.linear for r in every]).reshape(len(every), -1).T
        quadratic = np.array([r.quadratic for r in every]).reshape(len(every), -1).T
        history = np.array([[r.intercept, r.first, r.late, -r.rate, r.delay] for r in every]).T
        return linear, quadratic, history

    def expected(self, x: Array, before: Array, previous: Array, depth: int, start: Array) -> Array:
        """(c,) values after a stage, without noise.

        Args:
            x: (p,) log-ratios, -inf where a loss is off.
            before: (c,) values of the parent.
            previous: (c,) change that led to it.
            depth: of the new state.
            start: (c,) values of S_0.
        """
        z, zz = weight_columns(self.scale, x[None])
        linear, quadratic, history = self._coefficients
        pushed = z[0] @ linear + zz[0] @ quadratic
        columns = history_columns(self.scale, np.array([depth]), np.zeros(1), np.zeros(1))[0]
        columns = np.repeat(columns[:, None], len(before), axis=1)
        columns[3], columns[4] = np.nan_to_num(before - start), np.nan_to_num(previous)
        changed = pushed + np.einsum("kc,kc->c", columns, history)
        return np.where(self._remembers > 0, before, 0.0) + changed

    def beyond(self, weights: Weights) -> bool:
        """Whether weights lie where nothing was recorded."""
        found: NDArray[np.bool_] = self.scale.outside(self.space.ratios(weights)[None])
        return bool(found[0])


def write_model(model: Model, file: Path) -> None:
    """Writes a model as JSON."""
    file.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(file, model.model_dump_json() + "\n")


def read_model(file: Path) -> Model:
    """Reads a model.

    Raises:
        Refused: no such file, or one of another version.
        Damaged: the file is not what was written.
    """
    try:
        text = file.read_text(encoding="utf-8")
    except OSError as error:
        raise Refused(
            f"model {file} cannot be read ({error.strerror}). Make one: lossagent simulate fit STUDY --out {file}"
        ) from error
    try:
        found = json.loads(text)
        if isinstance(found, dict) and found.get("version") != VERSION:  # pyright: ignore[reportUnknownMemberType]
            raise Refused(f"model {file} is of another version; fit it again.")
        return Model.model_validate_json(text)
    except (ValidationError, ValueError) as error:
        if isinstance(error, Refused):
            raise
        raise Damaged(f"{file} is no response model: {str(error).splitlines()[0]}") from error
