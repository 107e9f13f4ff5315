"""What Real-ESRGAN's degradation draws: ranges, and the numbers drawn from them [Wang et al., ICCVW 2021].

The published code draws some numbers once for a batch (which resize, which noise, which order) and others for each
image (kernels, levels, qualities). They are two records here, so that one image and a batch share all the code.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Float64
from numpy import ndarray

from lossagent.data.degradations.kernel_draws import Blur, Range, check_range, draw_kernel
from lossagent.data.degradations.kernels import sinc_kernel
from lossagent.data.degradations.resizing import MODES, Mode
from lossagent.errors import Refused


@dataclass(frozen=True)
class Round:
    """What one of the two rounds draws from; the defaults are the published first round.

    Attributes:
        blur: the blur kernel.
        blurred: probability that there is a blur.
        resize: probabilities of enlarging, reducing and keeping the size.
        factor: range of the factor, which holds 1.
        gaussian: probability of Gaussian noise; else it is Poisson noise.
        sigma: range of the Gaussian noise's standard deviation, 8-bit steps.
        poisson: range of the factor of Poisson noise.
        gray: probability that the noise is the same in all channels.
        quality: range of JPEG quality, whole numbers.

    Raises:
        Refused: probabilities that are none, or empty ranges.
    """

    blur: Blur = field(default_factory=Blur)
    blurred: float = 1.0
    resize: tuple[float, float, float] = (0.2, 0.7, 0.1)
    factor: Range = (0.15, 1.5)
    gaussian: float = 0.5
    sigma: Range = (1.0, 30.0)
    poisson: Range = (0.05, 3.0)
    gray: float = 0.4
    quality: tuple[int, int] = (30, 95)

    def __post_init__(self) -> None:
        if min(self.resize) < 0 or abs(sum(self.resize) - 1) > 1e-6:
            raise Refused(f"resize must be three probabilities that sum to 1; found {self.resize}.")
        if any(not 0 <= share <= 1 for share in (self.blurred, self.gaussian, self.gray)):
            raise Refused("blurred, gaussian and gray are probabilities and must lie in 0..1.")
        for name in ("factor", "sigma", "poisson"):
            check_range(name, getattr(self, name))
        if not 0 < self.factor[0] <= 1 <= self.factor[1]:
            raise Refused(f"factor must be a range above 0 that holds 1; found {self.factor}.")
        if not 1 <= self.quality[0] <= self.quality[1] <= 100:
            raise Refused(f"quality must be a range (low, high) in 1..100; found {self.quality}.")


FIRST_ROUND = Round()
SECOND_ROUND = Round(
    blur=Blur(sigma=(0.2, 1.5)),
    blurred=0.8,
    resize=(0.3, 0.4, 0.3),
    factor=(0.3, 1.2),
    sigma=(1.0, 25.0),
    poisson=(0.05, 2.5),
)


@dataclass(frozen=True)
class FinalSinc:
    """The last filter, which rings as over-sharpened pictures do.

    Attributes:
        probability: that there is one.
        sizes: sides in pixels, odd.
        cutoff: range in radians a pixel.
        after: probability that resizing and filter come after the last JPEG rather than before it.

    Raises:
        Refused: values that do not fit.
    """

    probability: float = 0.8
    sizes: tuple[int, ...] = (7, 9, 11, 13, 15, 17, 19, 21)
    cutoff: Range = (math.pi / 3, math.pi)
    after: float = 0.5

    def __post_init__(self) -> None:
        if not 0 <= self.probability <= 1 or not 0 <= self.after <= 1:
            raise Refused("probability and after must lie in 0..1.")
        if not self.sizes or any(size < 1 or size % 2 == 0 for size in self.sizes):
            raise Refused(f"sizes of sinc kernels must be odd and at least 1; found {self.sizes}.")
        check_range("cutoff", self.cutoff)


@dataclass(frozen=True)
class Ranges:
    """All that Real-ESRGAN's degradation draws from; the defaults are the published ones."""

    first: Round = FIRST_ROUND
    second: Round = SECOND_ROUND
    final: FinalSinc = field(default_factory=FinalSinc)


@dataclass(frozen=True)
class CommonRound:
    """Of one round, what a batch has in common: resize factor and mode, kind of noise, whether there is a blur."""

    blurred: bool
    factor: float
    mode: Mode
    gaussian: bool


@dataclass(frozen=True)
class Common:
    """What a batch has in common: both rounds, the last resize mode, and whether that comes after the last JPEG."""

    first: CommonRound
    second: CommonRound
    mode: Mode
    after: bool


@dataclass(frozen=True, eq=False)
class OwnRound:
    """Of one round, what is each image's own: kernel, noise levels (8-bit steps; factor), gray noise, JPEG quality."""

    kernel: Float64[ndarray, "side side"]
    sigma: float
    poisson: float
    gray: bool
    quality: int


@dataclass(frozen=True, eq=False)
class Own:
    """What is each image's own: both rounds, and the last filter, if any."""

    first: OwnRound
    second: OwnRound
    sinc: Float64[ndarray, "last last"] | None


def draw_common(rng: np.random.Generator, ranges: Ranges) -> Common:
    """The numbers that the images of a batch share."""
    first, second = _common_round(rng, ranges.first), _common_round(rng, ranges.second)
    return Common(first, second, _mode(rng), bool(rng.random() < ranges.final.after))


def draw_own(rng: np.random.Generator, ranges: Ranges) -> Own:
    """The numbers of one image."""
    first, second = _own_round(rng, ranges.first), _own_round(rng, ranges.second)
    if rng.random() >= ranges.final.probability:
        return Own(first, second, None)
    size = int(rng.choice(ranges.final.sizes))
    return Own(first, second, sinc_kernel(rng.uniform(*ranges.final.cutoff), size))


def _common_round(rng: np.random.Generator, ranges: Round) -> CommonRound:
    blurred = bool(rng.random() < ranges.blurred)
    direction = int(rng.choice(3, p=ranges.resize))
    factor = 1.0
    if direction < 2:
        factor = rng.uniform(1, ranges.factor[1]) if direction == 0 else rng.uniform(ranges.factor[0], 1)
    return CommonRound(blurred, factor, _mode(rng), bool(rng.random() < ranges.gaussian))


def _own_round(rng: np.random.Generator, ranges: Round) -> OwnRound:
    return OwnRound(
        kernel=draw_kernel(rng, ranges.blur),
        sigma=rng.uniform(*ranges.sigma),
        poisson=rng.uniform(*ranges.poisson),
        gray=bool(rng.random() < ranges.gray),
        quality=int(rng.integers(ranges.quality[0], ranges.quality[1] + 1)),
    )


def _mode(rng: np.random.Generator) -> Mode:
    return MODES[int(rng.integers(len(MODES)))]
