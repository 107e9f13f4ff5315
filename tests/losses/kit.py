"""What every loss must be able to do. A new loss calls :func:`assert_conforms` in its test."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from lossagent.losses import Loss

Make = Callable[[], Loss]


def images(batch: int = 3, side: int = 48, dtype: torch.dtype = torch.float32, seed: int = 0) -> tuple[Tensor, Tensor]:
    """A smooth target and a noisy restored image, both RGB in [0, 1]."""
    generator = torch.Generator().manual_seed(seed)
    target = torch.rand(batch, 3, side // 4, side // 4, generator=generator)
    target = nn.functional.interpolate(target, (side, side), mode="bilinear")
    restored = (target + 0.1 * torch.randn(target.shape, generator=generator)).clamp(0, 1)
    return restored.to(dtype), target.to(dtype)


def settled(loss: Loss) -> Loss:
    """The loss with nothing random in it."""
    return loss.eval() if isinstance(loss, nn.Module) else loss


def assert_is_a_finite_scalar(make: Make) -> None:
    value = make()(*images())
    assert value.shape == ()
    assert torch.isfinite(value)


def assert_worse_images_cost_more(make: Make) -> None:
    loss = settled(make())
    restored, target = images()
    far = (restored + (restored - target) * 2).clamp(0, 1)
    with torch.no_grad():
        assert loss(target, target) < loss(restored, target) < loss(far, target)


def assert_is_floor_on_equal_images(make: Make, floor: float) -> None:
    _, target = images()
    assert abs(float(settled(make())(target, target)) - floor) <= 1e-6


def assert_gradient_reaches_the_restorer(make: Make) -> None:
    source, target = images()
    restorer = nn.Conv2d(3, 3, 3, padding=1)
    make()(restorer(source), target).backward()
    assert restorer.weight.grad is not None
    assert torch.isfinite(restorer.weight.grad).all()
    assert restorer.weight.grad.norm() > 0


def assert_gradient_is_finite_on_equal_images(make: Make) -> None:
    _, target = images()
    leaf = target.clone().requires_grad_()
    make()(leaf, target).backward()
    assert leaf.grad is not None
    assert torch.isfinite(leaf.grad).all()


def assert_batch_mean_is_mean_of_singles(make: Make) -> None:
    loss = settled(make())
    restored, target = images()
    with torch.no_grad():
        singles = [loss(restored[i : i + 1], target[i : i + 1]) for i in range(len(target))]
        torch.testing.assert_close(loss(restored, target), torch.stack(singles).mean(), rtol=1e-5, atol=1e-7)


def assert_keeps_dtype_and_device(make: Make) -> None:
    for dtype in (torch.float32, torch.float64):
        loss = make()
        if isinstance(loss, nn.Module):
            loss = loss.to(dtype)
        value = loss(*images(dtype=dtype))
        assert value.dtype == dtype
        assert value.device.type == "cpu"


def assert_works_under_autocast(make: Make) -> None:
    loss = settled(make())
    source, target = images()
    leaf = source.clone().requires_grad_()
    with torch.autocast("cpu", torch.bfloat16):
        narrow = loss(leaf.to(torch.bfloat16), target)
    assert narrow.dtype == torch.float32
    narrow.backward()
    assert leaf.grad is not None
    assert torch.isfinite(leaf.grad).all()
    with torch.no_grad():
        torch.testing.assert_close(narrow, loss(source, target), rtol=0.05, atol=1e-3)


def assert_leaves_the_target_alone(make: Make) -> None:
    restored, target = images()
    before = (restored.clone(), target.clone())
    make()(restored, target)
    assert torch.equal(restored, before[0])
    assert torch.equal(target, before[1])


CHECKS = (
    assert_is_a_finite_scalar,
    assert_gradient_reaches_the_restorer,
    assert_gradient_is_finite_on_equal_images,
    assert_batch_mean_is_mean_of_singles,
    assert_keeps_dtype_and_device,
    assert_works_under_autocast,
    assert_leaves_the_target_alone,
)
"""Hold for every loss."""
