"""The weighted sum of eq. (1), its means and its gradients."""

import pytest
import torch
from little_loop import LOSSES, TERMS
from torch import nn

from lossagent import WeightedSum, Weights
from lossagent.errors import Refused, UnknownName


class Fixed:
    """Says the same weights until it is told others."""

    def __init__(self, **weights):
        self.weights = Weights.of(weights)


def leaf():
    return torch.tensor([[0.3, -0.2]], requires_grad=True)


def test_value_and_gradient_are_those_of_the_weighted_sum():
    target = torch.zeros(1, 2)
    a, b = leaf(), leaf()
    WeightedSum(Fixed(**LOSSES), TERMS)(a, target).backward()
    (1.0 * TERMS["near"](b, target) + 0.1 * TERMS["far"](b, target)).backward()
    torch.testing.assert_close(a.grad, b.grad)


def test_it_follows_the_steering_and_leaves_out_what_is_off():
    asked = []

    def far(restored, target):
        asked.append(1)
        return TERMS["far"](restored, target)

    steering = Fixed(**LOSSES)
    criterion = WeightedSum(steering, {"near": TERMS["near"], "far": far})
    x, target = leaf(), torch.zeros(1, 2)
    criterion(x, target)
    steering.weights = Weights.of({"near": 2.0, "far": 0})
    assert criterion(x, target).item() == pytest.approx(2 * TERMS["near"](x, target).item())
    assert len(asked) == 1


def test_means_and_gradients_are_unweighted_and_start_anew():
    criterion = WeightedSum(Fixed(**LOSSES), TERMS, measure_every=2)
    target = torch.zeros(1, 2)
    values = []
    for scale in (1.0, 2.0, 3.0):
        x = (leaf() * scale).detach().requires_grad_()
        criterion(x, target)
        values.append(TERMS["near"](x, target).item())
    assert criterion.means()["near"] == pytest.approx(sum(values) / 3)
    evidence = criterion.evidence()
    norms = []
    for scale in (1.0, 3.0):  # the first and the third call are measured
        x = (leaf() * scale).detach().requires_grad_()
        norms.append(torch.autograd.grad(TERMS["far"](x, target), x)[0].norm().item())
    assert evidence.image_norms["far"] == pytest.approx(sum(norms) / 2)
    assert set(evidence.cosines) == {"near|far"}
    assert sum(criterion.shares().values()) == pytest.approx(1)
    criterion.reset()
    assert criterion.means() == {}
    assert criterion.evidence().image_norms == {}


def test_measuring_changes_no_gradient():
    target = torch.zeros(1, 2)
    grads = []
    for every in (0, 1):
        x = leaf()
        WeightedSum(Fixed(**LOSSES), TERMS, measure_every=every)(x, target).backward()
        grads.append(x.grad)
    assert torch.equal(*grads)


def test_terms_computed_elsewhere_may_come_along():
    criterion = WeightedSum(Fixed(near=1.0, gan=0.5), {"near": TERMS["near"]})
    x, target = leaf(), torch.zeros(1, 2)
    with pytest.raises(Refused, match="gan"):
        criterion(x, target)
    near = TERMS["near"](x, target)
    assert criterion.combine({"near": near, "gan": x.sum()}, x).item() == pytest.approx((near + 0.5 * x.sum()).item())
    with pytest.raises(Refused, match="missing: gan"):
        criterion.combine({"near": near})
    with pytest.raises(UnknownName, match="other"):
        criterion.combine({"near": near, "gan": x.sum(), "other": near})
    with pytest.raises(UnknownName, match="nears"):
        WeightedSum(Fixed(near=1.0), {"nears": TERMS["near"]})


def test_losses_with_buffers_move_with_the_sum_whatever_they_are_called():
    criterion = WeightedSum(Fixed(keys=1.0), {"keys": Buffered()})
    assert criterion.double().state_dict()["modules_of_terms.loss_keys.scale"].dtype == torch.float64


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_means_of_half_precision_do_not_stop_growing(dtype):
    criterion = WeightedSum(Fixed(l1=1.0))
    value = torch.tensor(0.5, dtype=dtype)
    for _ in range(3000):
        criterion.combine({"l1": value})
    assert criterion.means() == {"l1": 0.5}


def test_a_validation_is_summed_up_and_not_counted():
    criterion = WeightedSum(Fixed(near=1.0), {"near": TERMS["near"]}, measure_every=100)
    target = torch.zeros(1, 2)
    with torch.no_grad():
        assert criterion(leaf() * 100, target) > 100
    criterion.eval()
    criterion(leaf() * 100, target)
    criterion.train()
    x = leaf()
    criterion(x, target)
    assert criterion.means()["near"] == pytest.approx(TERMS["near"](x, target).item())
    assert criterion.evidence().image_norms["near"] > 0  # the first call in training is measured


def test_a_loss_is_one_value_and_a_refused_call_leaves_no_trace():
    criterion = WeightedSum(Fixed(l1=1.0, gan=1.0))
    with pytest.raises(Refused, match=r"the loss 'gan' must be a tensor with one value; found a tensor \[2, 3\]"):
        criterion.combine({"l1": torch.ones(()), "gan": torch.ones(2, 3)})
    assert criterion.means() == {}
    assert criterion.combine({"l1": torch.ones(1), "gan": torch.ones(())}).shape == ()


class Buffered(nn.Module):
    """A loss with a buffer."""

    def __init__(self):
        super().__init__()
        self.register_buffer("scale", torch.ones(1))

    def forward(self, restored, target):
        return ((restored - target) * self.scale).abs().mean()
