"""Numbers for images, each with typed facts: which way is better, what computed it, with which options.

Fidelity (:class:`PSNR`, :class:`SSIM`, :class:`LPIPSMetric`), naturalness without a reference (:class:`NIQE`,
:class:`BRISQUE`), and guards that are watched beside a steered metric because any one number can be gamed:
:class:`LatticePeak`, :class:`ShiftedPerceptual`, :class:`LRConsistency`, :class:`Drift`, and the control
:func:`correlated_noise`.
"""

from __future__ import annotations

from lossagent.metrics.base import FIDELITY, Metric
from lossagent.metrics.brisque import BRISQUE
from lossagent.metrics.colour import Space, full_luma, limited_luma
from lossagent.metrics.command import from_command
from lossagent.metrics.consistency import Drift, LRConsistency, lr_consistency
from lossagent.metrics.controls import correlated_noise
from lossagent.metrics.dists import DISTSMetric
from lossagent.metrics.foreign import PyIQA
from lossagent.metrics.lattice import LatticePeak, lattice_peak
from lossagent.metrics.lpips import LPIPSMetric
from lossagent.metrics.ms_ssim import MSSSIM, ms_ssim
from lossagent.metrics.niqe import NIQE
from lossagent.metrics.own import from_file, from_function
from lossagent.metrics.psnr import PSNR, psnr
from lossagent.metrics.scoring import ScoreRow, score_paths
from lossagent.metrics.shifted import Distance, FeatureDistance, ShiftedPerceptual
from lossagent.metrics.ssim import SSIM, ssim
from lossagent.metrics.table import METRICS, MetricOptions, create, known

__all__ = [
    "BRISQUE",
    "FIDELITY",
    "METRICS",
    "MSSSIM",
    "NIQE",
    "PSNR",
    "SSIM",
    "DISTSMetric",
    "Distance",
    "Drift",
    "FeatureDistance",
    "LPIPSMetric",
    "LRConsistency",
    "LatticePeak",
    "Metric",
    "MetricOptions",
    "PyIQA",
    "ScoreRow",
    "ShiftedPerceptual",
    "Space",
    "correlated_noise",
    "create",
    "from_command",
    "from_file",
    "from_function",
    "full_luma",
    "known",
    "lattice_peak",
    "limited_luma",
    "lr_consistency",
    "ms_ssim",
    "psnr",
    "score_paths",
    "ssim",
]
