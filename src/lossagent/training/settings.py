"""How the built-in trainer trains."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from lossagent.training.schedule import Schedule


class TrainingSettings(BaseModel):
    """Settings of training; the defaults are the paper's where it states one (A.1).

    Attributes:
        stages: N, how many stages are trained at most.
        iterations: optimizer steps of a stage.
        batch: samples a step, over all devices and micro-batches.
        accumulate: micro-batches that a step's gradient is the mean of; less memory, the same step where the network
            is made of parts that look at one image at a time (see ``docs/many-gpus.md`` for those that are not).
        optimizer: of the restorer: ``adam``, or ``adamw`` with decoupled weight decay. Discriminators have Adam.
        weight_decay: weight decay of the restorer's optimizer.
        learning_rate: highest rate of the restorer's optimizer.
        schedule: how the restorer's rate changes with the iteration counted from S_0.
        discriminator_learning_rate: highest rate of the discriminators' optimizers.
        discriminator_schedule: how the discriminators' rate changes with the iteration.
        betas: decay of the running means of all optimizers: of the gradient, of its square.
        ema: decay of the exponential moving average of the restorer's weights, ``null`` for none.
        score: whether the averaged (``ema``) or the ``raw`` weights restore the images that are scored.
        precision: of the forward passes: ``fp32``, or ``bf16`` by autocast.
        clip: largest norm of the restorer's gradient, ``null`` for no clipping.
        warmup: steps of the discriminators alone before S_0; counted in the budget.
        idle_discriminator: while the adversarial loss is off its discriminator goes on to ``train``, or has a new
            ``warmup`` on return; both are counted.
        channels_last: whether networks and images lie in memory with their channels last.
        max_skipped: steps in a row that may be skipped for a non-finite loss or gradient before the run ends.
        deterministic: whether a GPU takes deterministic kernels; exact resume there needs them.
        threads: CPU threads of torch, ``null`` for its default; recorded, results depend on it.
        workers: threads that prepare batches; ``null`` takes none on a CPU, where they would compete with training,
            and two beside an accelerator.
        evidence_batches: fixed batches on which gradients are measured after a stage, 0 for none.
        log_every: iterations between writes of the loss log.
        partial_every: iterations between rolling checkpoints inside a stage.
        keep: newest checkpoints kept beside S_0, the best and the last; ``null`` keeps all.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    stages: int = Field(default=20, ge=1)
    iterations: int = Field(default=5000, ge=1)
    batch: int = Field(default=32, ge=1)
    accumulate: int = Field(default=1, ge=1)
    optimizer: Literal["adam", "adamw"] = "adam"
    weight_decay: float = Field(default=0.0, ge=0, allow_inf_nan=False)
    learning_rate: float = Field(default=1e-4, gt=0, allow_inf_nan=False)
    schedule: Schedule = Schedule()
    discriminator_learning_rate: float = Field(default=1e-4, gt=0, allow_inf_nan=False)
    discriminator_schedule: Schedule = Schedule()
    betas: tuple[Annotated[float, Field(ge=0, lt=1)], Annotated[float, Field(ge=0, lt=1)]] = (0.9, 0.99)
    ema: float | None = Field(default=0.999, gt=0, lt=1)
    score: Literal["ema", "raw"] = "ema"
    precision: Literal["fp32", "bf16"] = "fp32"
    clip: float | None = Field(default=None, gt=0)
    warmup: int = Field(default=0, ge=0)
    idle_discriminator: Literal["train", "warmup"] = "train"
    channels_last: bool = True
    max_skipped: int = Field(default=20, ge=1)
    deterministic: bool = False
    threads: int | None = Field(default=None, ge=1)
    workers: int | None = Field(default=None, ge=0)
    evidence_batches: int = Field(default=2, ge=0)
    log_every: int = Field(default=20, ge=1)
    partial_every: int = Field(default=1000, ge=1)
    keep: int | None = Field(default=None, ge=0)

    @model_validator(mode="after")
    def _valid(self) -> TrainingSettings:
        if self.score == "ema" and self.ema is None:
            raise ValueError("score: ema needs an ema decay; set training.ema or training.score=raw")
        if self.batch % self.accumulate:
            raise ValueError(f"batch must divide by accumulate {self.accumulate}; found {self.batch}")
        if self.optimizer == "adamw" and self.weight_decay == 0:
            raise ValueError("adamw without weight_decay is adam; set weight_decay (PyTorch's own is 0.01)")
        return self

    @property
    def length(self) -> int:
        """Iterations from S_0 to the end where no stage is undone."""
        return self.stages * self.iterations

    def rates(self, iteration: int) -> tuple[float, float]:
        """(rate of the restorer, rate of discriminators) of an iteration counted from S_0."""
        return (
            self.schedule.rate(self.learning_rate, iteration, self.length),
            self.discriminator_schedule.rate(self.discriminator_learning_rate, iteration, self.length),
        )

    @property
    def ema_warning(self) -> str | None:
        """What to say where the EMA reaches further back than a fifth of a stage."""
        if self.ema is None or self.score != "ema":
            return None
        horizon = 1 / (1 - self.ema)
        if horizon <= self.iterations / 5:
            return None
        return (
            f"EMA {self.ema} averages over about {horizon:.0f} iterations, {horizon / self.iterations:.0%} of a stage "
            f"of {self.iterations}: a score partly reflects earlier stages."
        )
