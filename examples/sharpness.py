"""A metric: how strong the edges of an image are. Noise is strong edges too, so it wants a second metric beside it."""

import numpy as np
from numpy.typing import NDArray


def sharpness(image: NDArray[np.uint8]) -> float:
    """[height, width, 3], RGB -> mean step between rows, in grey levels."""
    grey = image.mean(axis=2)
    return float(abs(grey[1:] - grey[:-1]).mean())
