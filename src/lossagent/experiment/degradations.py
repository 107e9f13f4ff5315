"""How low-quality images are made."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from lossagent.experiment.base import Settings


class BicubicSettings(Settings):
    """MATLAB's bicubic reduction by the experiment's scale."""

    kind: Literal["bicubic"] = "bicubic"


class BSRGANSettings(Settings):
    """BSRGAN's degradation, seven operations in random order [Zhang et al., ICCV 2021]."""

    kind: Literal["bsrgan"] = "bsrgan"


class RealESRGANSettings(Settings):
    """Real-ESRGAN's second-order degradation [Wang et al., ICCVW 2021].

    Attributes:
        sharpen: the input is made from the unsharp-masked ground truth, which pixel and perceptual losses compare with.
        on_device: degrade batches on the training device rather than sample by sample on the CPU.
        pool: samples among which pairs are shuffled on the device, a multiple of the batch.
    """

    kind: Literal["real-esrgan"] = "real-esrgan"
    sharpen: bool = True
    on_device: bool = False
    pool: int = Field(default=180, ge=1)


class NoiseSettings(Settings):
    """Gaussian noise, clipped to 8 bits.

    Attributes:
        sigma: standard deviation in grey levels of 255.
    """

    kind: Literal["noise"] = "noise"
    sigma: float = Field(gt=0, le=255, allow_inf_nan=False)


class RainSettings(Settings):
    """Synthetic rain streaks; no published data set."""

    kind: Literal["rain"] = "rain"


class HazeSettings(Settings):
    """Synthetic haze by atmospheric scattering; no published data set.

    Attributes:
        depth: folder of depth maps named as the images; without one depth is made up from the picture.
    """

    kind: Literal["haze"] = "haze"
    depth: str | None = None


AT_ONE_SIZE = frozenset({"noise", "rain", "haze"})
"""Kinds that keep the size of images."""
SYNTHETIC = frozenset({"rain", "haze"})
"""Kinds that stand in for published data sets; every run with one says so."""


def _short(value: Any) -> Any:  # noqa: ANN401  (raw YAML)
    """A name may stand for the whole."""
    return {"kind": value} if isinstance(value, str) else value


DegradationSettings = Annotated[
    BicubicSettings | BSRGANSettings | RealESRGANSettings | NoiseSettings | RainSettings | HazeSettings,
    Field(discriminator="kind"),
    BeforeValidator(_short),
]
"""Any of them."""
