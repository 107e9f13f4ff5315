"""Steering inside trainers of the BasicSR family: BasicSR, Real-ESRGAN, traiNNer-redux, neosr and their forks.

None of them is imported: what counts are the attributes and methods that their models share.
"""

from lossagent.adapters.basicsr.pictures import validation_images
from lossagent.adapters.basicsr.pipeline import hooked
from lossagent.adapters.basicsr.steered import SteeredModel, steer_model
from lossagent.adapters.basicsr.weights import WeightPlace, find_weights, weights_on

__all__ = [
    "SteeredModel",
    "WeightPlace",
    "find_weights",
    "hooked",
    "steer_model",
    "validation_images",
    "weights_on",
]
