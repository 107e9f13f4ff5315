"""Noise of BSRGAN and Real-ESRGAN: Gaussian in colour, gray or correlated between channels, and Poisson.

Each function gives the noise alone; ``images + noise`` is clipped by the caller.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from jaxtyping import Bool, Float, Float64
from numpy import ndarray
from torch import Tensor

from lossagent.data.degradations.draws import Draws

# Luma as torchvision and Real-ESRGAN compute it, ITU-R BT.601.
LUMA = (0.2989, 0.587, 0.114)


def gaussian_noise(
    images: Float[Tensor, "batch channels height width"],
    sigma: Float[Tensor, "batch"],
    gray: Bool[ndarray, "batch"],
    draws: Draws,
) -> Float[Tensor, "batch channels height width"]:
    """White Gaussian noise.

    Args:
        images: give the shape.
        sigma: standard deviation for each image, in units of the images.
        gray: whether an image gets the same noise in all channels.
        draws: where random numbers come from.
    """
    noise = torch.empty_like(images)
    for alike, members, chosen in _kinds(images, gray):
        noise[chosen] = draws.normal((1 if alike else images.shape[1], *images.shape[-2:]), members)
    return noise * sigma[:, None, None, None]


def correlated_noise(
    images: Float[Tensor, "batch 3 height width"], covariance: Float64[ndarray, "3 3"], draws: Draws
) -> Float[Tensor, "batch 3 height width"]:
    """Gaussian noise whose channels have this covariance [BSRGAN section 3.3]."""
    values, vectors = np.linalg.eigh(covariance)
    root = torch.from_numpy(vectors * np.sqrt(np.maximum(values, 0.0))).to(images)
    return torch.einsum("ij,bjhw->bihw", root, draws.normal(images.shape[1:], range(len(images))))


def random_covariance(rng: np.random.Generator, largest: float) -> Float64[ndarray, "3 3"]:
    """BSRGAN's covariance between channels: ``largest**2 |U' D U|``.

    D is uniform on [0, 1), U the left singular vectors of a matrix that is uniform on [0, 1). The absolute values keep
    it positive semidefinite for three channels: the minors of order 2 stay, the determinant grows.
    """
    diagonal = rng.random(3)
    basis = np.linalg.svd(rng.random((3, 3)))[0]
    return largest**2 * np.abs(basis.T @ np.diag(diagonal) @ basis)


def poisson_noise(
    images: Float[Tensor, "batch channels height width"],
    factor: Float[Tensor, "batch"],
    gray: Bool[ndarray, "batch"],
    draws: Draws,
) -> Float[Tensor, "batch channels height width"]:
    """Shot noise as Real-ESRGAN makes it: photons a unit of brightness = the image's number of levels.

    The image is rounded to 8 bit, ``levels`` is the number of its different values rounded up to a power of two, and
    the noise is ``poisson(image * levels) / levels - image``, times ``factor``. Gray noise is that of the luma.

    Args:
        images: in [0, 1].
        factor: for each image.
        gray: whether an image gets the same noise in all channels.
        draws: where random numbers come from.
    """
    noise = torch.empty_like(images)
    for alike, members, chosen in _kinds(images, gray):
        part = images[chosen]
        if alike and images.shape[1] == 3:
            part = (part * torch.tensor(LUMA, device=part.device, dtype=part.dtype)[:, None, None]).sum(1, keepdim=True)
        part = (part * 255).round().clamp(0, 255) / 255
        levels = _levels(part)[:, None, None, None]
        noise[chosen] = draws.poisson(part * levels, members) / levels - part
    return noise * factor[:, None, None, None]


def _kinds(
    images: Float[Tensor, "batch channels height width"], gray: Bool[ndarray, "batch"]
) -> Iterator[tuple[bool, list[int], slice | Tensor]]:
    """Images with noise alike in all channels, and those with noise of each channel's own; as numbers and an index."""
    for alike in (False, True):
        members = [int(number) for number in np.flatnonzero(gray == alike)]
        if len(members) == len(images):
            yield alike, members, slice(None)
        elif members:
            yield alike, members, torch.tensor(members, device=images.device)


def _levels(images: Float[Tensor, "batch channels height width"]) -> Float[Tensor, "batch"]:
    """Number of different 8-bit values of each image, rounded up to a power of two; without leaving the device."""
    values = (images.flatten(1) * 255).round().long()
    seen = torch.zeros(len(images), 256, device=images.device, dtype=images.dtype)
    seen.scatter_(1, values, 1.0)
    return torch.exp2(torch.ceil(torch.log2(seen.sum(1))))
