"""Degradations: how low-quality inputs are made from clean photographs."""

from __future__ import annotations

from lossagent.data.degradations.added_noise import AddedNoise
from lossagent.data.degradations.base import Degradation
from lossagent.data.degradations.bicubic import Bicubic, bicubic, bicubic_patch, imresize, modcrop
from lossagent.data.degradations.bsrgan import BSRGAN, BSRGANRanges
from lossagent.data.degradations.camera import Camera
from lossagent.data.degradations.filtering import filter2d
from lossagent.data.degradations.haze import SyntheticHaze
from lossagent.data.degradations.jpeg import codec
from lossagent.data.degradations.jpeg_torch import jpeg
from lossagent.data.degradations.kernel_draws import Blur, GaussianBlur, draw_gaussian_kernel, draw_kernel
from lossagent.data.degradations.kernels import (
    gaussian_kernel,
    generalised_gaussian_kernel,
    plateau_kernel,
    sinc_kernel,
)
from lossagent.data.degradations.rain import SyntheticRain
from lossagent.data.degradations.real_esrgan import RealESRGAN
from lossagent.data.degradations.real_esrgan_batch import RealESRGANBatch
from lossagent.data.degradations.real_esrgan_plan import FinalSinc, Ranges, Round
from lossagent.data.degradations.resizing import resize
from lossagent.data.degradations.sharpening import usm_sharpen, usm_sharpen_batch
from lossagent.data.degradations.untouched import Untouched

__all__ = [
    "BSRGAN",
    "AddedNoise",
    "BSRGANRanges",
    "Bicubic",
    "Blur",
    "Camera",
    "Degradation",
    "FinalSinc",
    "GaussianBlur",
    "Ranges",
    "RealESRGAN",
    "RealESRGANBatch",
    "Round",
    "SyntheticHaze",
    "SyntheticRain",
    "Untouched",
    "bicubic",
    "bicubic_patch",
    "codec",
    "draw_gaussian_kernel",
    "draw_kernel",
    "filter2d",
    "gaussian_kernel",
    "generalised_gaussian_kernel",
    "imresize",
    "jpeg",
    "modcrop",
    "plateau_kernel",
    "resize",
    "sinc_kernel",
    "usm_sharpen",
    "usm_sharpen_batch",
]
