"""Every choice of a run as one frozen, validated value, read from YAML. Unknown keys are refused."""

from lossagent.experiment.base import Settings
from lossagent.experiment.degradations import (
    SYNTHETIC,
    BicubicSettings,
    BSRGANSettings,
    DegradationSettings,
    HazeSettings,
    NoiseSettings,
    RainSettings,
    RealESRGANSettings,
)
from lossagent.experiment.images import DataSettings, ImagesSettings, parts
from lossagent.experiment.networks import LossSettings, NetworkSettings, RestorerSettings
from lossagent.experiment.reading import load, located, override, parse, read_yaml
from lossagent.experiment.whole import Experiment

__all__ = [
    "SYNTHETIC",
    "BSRGANSettings",
    "BicubicSettings",
    "DataSettings",
    "DegradationSettings",
    "Experiment",
    "HazeSettings",
    "ImagesSettings",
    "LossSettings",
    "NetworkSettings",
    "NoiseSettings",
    "RainSettings",
    "RealESRGANSettings",
    "RestorerSettings",
    "Settings",
    "load",
    "located",
    "override",
    "parse",
    "parts",
    "read_yaml",
]
