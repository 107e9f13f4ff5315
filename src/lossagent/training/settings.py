"""How the built-in trainer trains."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator


class TrainingSettings(BaseModel):
    """Settings of training; the defaults are the paper's where it states one (A.1).

    Attributes:
        stages: N, how many stages are trained at most.
        iterations: optimizer steps of a stage.
        batch: samples a step over all devices.
        learning_rate, discriminator_learning_rate: constant rates of Adam.
        betas: Adam's.
        ema: decay of the exponential moving average of the restorer's weights, ``null`` for none.
        score: whether the ``ema`` or the ``raw`` weights restore images.
        precision: ``fp32`` or ``bf16`` autocast.
        clip: largest norm of the restorer's gradient, ``null`` for no clipping.
        warmup: steps of the discriminators alone before S_0; counted in the budget.
        idle_discriminator: while the adversarial loss is off its discriminator goes on to ``train``, or has a new
            ``warmup`` on return; both are counted.
        channels_last: memory format of networks and images.
        max_skipped: steps in a row that may be skipped for a non-finite loss or gradient before the run ends.
        deterministic: deterministic kernels on a GPU; exact resume there needs it.
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
    learning_rate: float = Field(default=1e-4, gt=0)
    discriminator_learning_rate: float = Field(default=1e-4, gt=0)
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
        return self

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
