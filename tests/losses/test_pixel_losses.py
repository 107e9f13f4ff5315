"""Values of the pixel losses by hand."""

from __future__ import annotations

import math

import pytest
import torch

from lossagent.errors import Refused
from lossagent.losses import L1, MSE, Charbonnier

ZERO, THREE = torch.zeros(2, 3, 4, 4), torch.full((2, 3, 4, 4), 0.3)


def test_values():
    assert L1()(THREE, ZERO) == pytest.approx(0.3)
    assert MSE()(THREE, ZERO) == pytest.approx(0.09)
    assert Charbonnier(0.4)(THREE, ZERO) == pytest.approx(0.5)


def test_charbonnier_tends_to_l1():
    assert Charbonnier(1e-9)(THREE, ZERO) == pytest.approx(0.3)


@pytest.mark.parametrize("eps", [0.0, -1.0, math.nan, math.inf])
def test_charbonnier_refuses(eps):
    with pytest.raises(Refused, match="eps must be"):
        Charbonnier(eps)
