"""What every loss must be able to do. A new loss gets a :class:`Case` in ``test_conformance.py``."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from lossagent.losses import Loss

Make = Callable[[], Loss]


@dataclass(frozen=True)
class Case:
    """A loss, and which of the rules it is excused from.

    Attributes:
        make: makes it.
        side: of the images it is tried on, in pixels.
        floor: its value on equal images, which is its least; ``None`` for a loss that does not compare.
        signed: may be negative.
        symmetric: restored and target can change places.
        coupled: images of a batch are judged together, so that the batch is not the mean of its images.
    """

    make: Make
    side: int = 48
    floor: float | None = 0.0
    signed: bool = False
    symmetric: bool = True
    coupled: bool = False

    def images(self, dtype: torch.dtype = torch.float32) -> tuple[Tensor, Tensor]:
        return images(side=self.side, dtype=dtype)

    def settled(self) -> Loss:
        """The loss with nothing random in it."""
        loss = self.make()
        return loss.eval() if isinstance(loss, nn.Module) else loss


def images(batch: int = 3, side: int = 48, dtype: torch.dtype = torch.float32, seed: int = 0) -> tuple[Tensor, Tensor]:
    """A smooth target and a noisy restored image, both RGB in [0, 1]."""
    generator = torch.Generator().manual_seed(seed)
    target = torch.rand(batch, 3, side // 4, side // 4, generator=generator)
    target = nn.functional.interpolate(target, (side, side), mode="bilinear")
    restored = (target + 0.1 * torch.randn(target.shape, generator=generator)).clamp(0, 1)
    return restored.to(dtype), target.to(dtype)


def is_a_finite_scalar(case: Case) -> None:
    value = case.make()(*case.images())
    assert value.shape == ()
    assert torch.isfinite(value)


def is_not_negative(case: Case) -> None:
    restored, target = case.images()
    loss = case.settled()
    with torch.no_grad():
        assert all(loss(*pair) >= 0 for pair in ((restored, target), (target, restored), (restored, 1 - target)))


def worse_images_cost_more(case: Case) -> None:
    loss = case.settled()
    restored, target = case.images()
    far = (restored + (restored - target) * 2).clamp(0, 1)
    with torch.no_grad():
        assert loss(target, target) < loss(restored, target) < loss(far, target)


def is_floor_on_equal_images(case: Case) -> None:
    _, target = case.images()
    assert case.floor is not None
    assert abs(float(case.settled()(target, target)) - case.floor) <= 1e-6


def is_symmetric(case: Case) -> None:
    restored, target = case.images()
    loss = case.settled()
    with torch.no_grad():
        torch.testing.assert_close(loss(restored, target), loss(target, restored), rtol=1e-5, atol=1e-7)


def gradient_reaches_the_restorer(case: Case) -> None:
    source, target = case.images()
    restorer = nn.Conv2d(3, 3, 3, padding=1)
    case.make()(restorer(source), target).backward()
    assert restorer.weight.grad is not None
    assert torch.isfinite(restorer.weight.grad).all()
    assert restorer.weight.grad.norm() > 0


def gradient_is_finite(case: Case, restored: Tensor, target: Tensor) -> None:
    leaf = restored.clone().requires_grad_()
    case.make()(leaf, target).backward()
    assert leaf.grad is not None
    assert torch.isfinite(leaf.grad).all()


def gradient_is_finite_on_equal_images(case: Case) -> None:
    _, target = case.images()
    gradient_is_finite(case, target, target)


def gradient_is_finite_on_flat_images(case: Case) -> None:
    shape = (2, 3, case.side, case.side)
    for level in (0.0, 0.4):
        gradient_is_finite(case, torch.full(shape, level), torch.zeros(shape))


def batch_mean_is_mean_of_singles(case: Case) -> None:
    loss = case.settled()
    restored, target = case.images()
    with torch.no_grad():
        singles = [loss(restored[i : i + 1], target[i : i + 1]) for i in range(len(target))]
        torch.testing.assert_close(loss(restored, target), torch.stack(singles).mean(), rtol=1e-5, atol=1e-7)


def keeps_dtype_and_device(case: Case) -> None:
    for dtype in (torch.float32, torch.float64):
        loss = case.make()
        if isinstance(loss, nn.Module):
            loss = loss.to(dtype)
        value = loss(*case.images(dtype=dtype))
        assert value.dtype == dtype
        assert value.device.type == "cpu"


def works_under_autocast(case: Case) -> None:
    loss = case.settled()
    source, target = case.images()
    leaf = source.clone().requires_grad_()
    with torch.autocast("cpu", torch.bfloat16):
        narrow = loss(leaf.to(torch.bfloat16), target)
    assert narrow.dtype == torch.float32
    narrow.backward()
    assert leaf.grad is not None
    assert torch.isfinite(leaf.grad).all()
    with torch.no_grad():
        torch.testing.assert_close(narrow, loss(source, target), rtol=0.05, atol=1e-3)


def leaves_the_images_alone(case: Case) -> None:
    restored, target = case.images()
    before = (restored.clone(), target.clone())
    case.make()(restored, target)
    assert torch.equal(restored, before[0])
    assert torch.equal(target, before[1])


def checks(case: Case) -> list[Callable[[Case], None]]:
    """The rules that hold for it."""
    chosen: list[Callable[[Case], None]] = [
        is_a_finite_scalar,
        gradient_reaches_the_restorer,
        gradient_is_finite_on_equal_images,
        gradient_is_finite_on_flat_images,
        keeps_dtype_and_device,
        works_under_autocast,
        leaves_the_images_alone,
    ]
    if case.floor is not None:
        chosen += [worse_images_cost_more, is_floor_on_equal_images]
    if not case.signed:
        chosen.append(is_not_negative)
    if case.symmetric and case.floor is not None:
        chosen.append(is_symmetric)
    if not case.coupled:
        chosen.append(batch_mean_is_mean_of_singles)
    return chosen
