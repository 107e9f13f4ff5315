"""Camera sensor noise: an image is turned back into raw data, noise is added there, and it is developed again.

BSRGAN's seventh operation [Zhang et al., ICCV 2021, section 3.3] runs an image signal processor backwards and forwards.
The published training code leaves the processor itself out; here it is the one of Brooks et al., "Unprocessing Images
for Learned Raw Denoising", CVPR 2019: inverse tone curve, gamma and colour correction, white balance with highlights
kept, Bayer mosaic, shot and read noise, and the way back with a bilinear demosaic.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Float64
from numpy import ndarray
from torch import Tensor

from lossagent.data.degradations.draws import Draws
from lossagent.data.degradations.filtering import filter2d
from lossagent.data.degradations.kernel_draws import Range

# XYZ to the colours of four cameras, from their manufacturers' tables as the paper takes them; linear sRGB to XYZ.
XYZ_TO_CAMERA = np.array(
    [
        [[1.0234, -0.2969, -0.2266], [-0.5625, 1.6328, -0.0469], [-0.0703, 0.2188, 0.6406]],
        [[0.4913, -0.0541, -0.0202], [-0.613, 1.3513, 0.2906], [-0.1564, 0.2151, 0.7183]],
        [[0.838, -0.263, -0.0639], [-0.2887, 1.0725, 0.2496], [-0.0627, 0.1427, 0.5438]],
        [[0.6596, -0.2079, -0.0562], [-0.4782, 1.3016, 0.1933], [-0.097, 0.1581, 0.5181]],
    ]
)
RGB_TO_XYZ = np.array(
    [[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.072175], [0.0193339, 0.119192, 0.9503041]]
)
# Gamma of sRGB as a plain power, and the darkest value it is computed for.
GAMMA, DARKEST = 2.2, 1e-8
# Above this brightness the white balance is faded out, so that clipped highlights stay white.
INFLECTION = 0.9
# Weights over a 3 x 3 neighbourhood that fill a Bayer plane: red and blue (1 pixel in 4), green (2 in 4).
SPARSE = ((0.25, 0.5, 0.25), (0.5, 1.0, 0.5), (0.25, 0.5, 0.25))
DENSE = ((0.0, 0.25, 0.0), (0.25, 1.0, 0.25), (0.0, 0.25, 0.0))


@dataclass(frozen=True)
class Camera:
    """What a camera is drawn from; defaults as published (section 3.1 to 3.5 of the paper).

    Attributes:
        gain: mean and standard deviation of the inverse of the brightness gain.
        red, blue: range of the white balance gains.
        shot: range of the shot noise's variance a unit of signal, drawn on a log scale.
        read: slope, intercept and standard deviation of log(read noise variance) against log(shot).
    """

    gain: tuple[float, float] = (0.8, 0.1)
    red: Range = (1.9, 2.4)
    blue: Range = (1.5, 1.9)
    shot: Range = (1e-4, 0.012)
    read: tuple[float, float, float] = (2.18, 1.2, 0.26)


@dataclass(frozen=True, eq=False)
class Shot:
    """One exposure: what :func:`draw_camera` draws.

    Attributes:
        colours: linear sRGB to camera colours; each row sums to one.
        gains: of the three channels on the way from raw data to the picture.
        shot, read: noise variances: ``shot * signal + read``.
        phase: row and column of the red pixel in the mosaic, 0 or 1 each.
    """

    colours: Float64[ndarray, "3 3"]
    gains: tuple[float, float, float]
    shot: float
    read: float
    phase: tuple[int, int]


def draw_camera(rng: np.random.Generator, camera: Camera) -> Shot:
    """A random exposure."""
    weights = rng.random(len(XYZ_TO_CAMERA))
    colours = np.tensordot(weights / weights.sum(), XYZ_TO_CAMERA, axes=1) @ RGB_TO_XYZ
    gain = 1 / max(rng.normal(*camera.gain), 0.1)
    red, blue = rng.uniform(*camera.red), rng.uniform(*camera.blue)
    log_shot = rng.uniform(math.log(camera.shot[0]), math.log(camera.shot[1]))
    log_read = camera.read[0] * log_shot + camera.read[1] + rng.normal(0, camera.read[2])
    return Shot(
        colours=colours / colours.sum(axis=1, keepdims=True),
        gains=(gain * red, gain, gain * blue),
        shot=math.exp(log_shot),
        read=math.exp(log_read),
        phase=(int(rng.integers(2)), int(rng.integers(2))),
    )


def camera_noise(
    images: Float[Tensor, "batch 3 height width"], shot: Shot, draws: Draws
) -> Float[Tensor, "batch 3 height width"]:
    """RGB in [0, 1] -> raw -> noise -> RGB in [0, 1]."""
    raw = mosaic(unprocess(images, shot), shot.phase)
    variance = shot.shot * raw + shot.read
    raw = (raw + variance.sqrt() * draws.normal(raw.shape[1:], range(len(raw)))).clamp(0, 1)
    return process(demosaic(raw, shot.phase), shot)


def unprocess(images: Float[Tensor, "batch 3 height width"], shot: Shot) -> Float[Tensor, "batch 3 height width"]:
    """Display colours to linear camera colours at every pixel, in [0, 1] [eqs. (4), (7), (8)]."""
    linear = 0.5 - torch.sin(torch.asin((1 - 2 * images.clamp(0, 1)).clamp(-1, 1)) / 3)
    linear = linear.clamp_min(DARKEST) ** GAMMA
    colours = _mixed(linear, shot.colours).clamp(0, 1)
    gains = 1 / torch.tensor(shot.gains, dtype=images.dtype, device=images.device)[:, None, None]
    bright = ((colours.mean(1, keepdim=True) - INFLECTION).clamp_min(0) / (1 - INFLECTION)) ** 2
    return (colours * torch.maximum(bright + (1 - bright) * gains, gains)).clamp(0, 1)


def process(colours: Float[Tensor, "batch 3 height width"], shot: Shot) -> Float[Tensor, "batch 3 height width"]:
    """Linear camera colours to display colours: gains, colour correction, gamma, tone curve 3x^2 - 2x^3."""
    gains = torch.tensor(shot.gains, dtype=colours.dtype, device=colours.device)[:, None, None]
    linear = _mixed((colours * gains).clamp(0, 1), np.linalg.inv(shot.colours)).clamp(0, 1)
    shown = linear.clamp_min(DARKEST) ** (1 / GAMMA)
    return ((3 - 2 * shown) * shown * shown).clamp(0, 1)


def mosaic(
    colours: Float[Tensor, "batch 3 height width"], phase: tuple[int, int]
) -> Float[Tensor, "batch 1 height width"]:
    """The one colour that each pixel of a Bayer sensor sees."""
    return (colours * _bayer(colours, phase)).sum(1, keepdim=True)


def demosaic(
    raw: Float[Tensor, "batch 1 height width"], phase: tuple[int, int]
) -> Float[Tensor, "batch 3 height width"]:
    """Bilinear interpolation of each colour; mirrored borders keep the mosaic's pattern."""
    planes = raw * _bayer(raw, phase)
    batch, _, height, width = planes.shape
    kernels = torch.tensor((SPARSE, DENSE, SPARSE), dtype=raw.dtype, device=raw.device).repeat(batch, 1, 1)
    return filter2d(planes.reshape(batch * 3, 1, height, width), kernels).reshape(batch, 3, height, width)


def _bayer(
    like: Float[Tensor, "batch channels height width"], phase: tuple[int, int]
) -> Float[Tensor, "3 height width"]:
    """1 where a channel is seen: red at ``phase``, blue across, green at both others."""
    row = (torch.arange(like.shape[-2], device=like.device)[:, None] + phase[0]) % 2
    column = (torch.arange(like.shape[-1], device=like.device) + phase[1]) % 2
    red, blue = (row == 0) & (column == 0), (row == 1) & (column == 1)
    return torch.stack([red, ~(red | blue), blue]).to(like.dtype)


def _mixed(
    images: Float[Tensor, "batch 3 height width"], matrix: Float64[ndarray, "3 3"]
) -> Float[Tensor, "batch 3 height width"]:
    return torch.einsum("ij,bjhw->bihw", torch.from_numpy(matrix).to(images), images)
