"""What every restorer must be able to do. A new one gets a :class:`Case` in ``test_network_kit.py``."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from lossagent.restorers import load_into, restore


@dataclass(frozen=True)
class Case:
    """A restorer, small.

    Attributes:
        make: makes it, each time with other weights.
        scale: sides of its output over those of its input.
        side: a height that it takes, in pixels; it takes 3/2 of it as a width, too.
        multiple: what sides are padded to when whole images are restored.
        unreached: how many parameters a backward pass does not reach.
    """

    make: Callable[[], nn.Module]
    scale: int
    side: int = 8
    multiple: int = 1
    unreached: int = 0

    def images(self, batch: int = 2) -> Tensor:
        generator = torch.Generator().manual_seed(0)
        return torch.rand(batch, 3, self.side, self.side * 3 // 2, generator=generator)


def enlarges_by_its_scale(case: Case, folder: Path) -> None:
    del folder
    with torch.no_grad():
        out = case.make()(case.images())
    assert out.shape == (2, 3, case.side * case.scale, case.side * 3 // 2 * case.scale)
    assert torch.isfinite(out).all()


def gradient_reaches_its_parameters(case: Case, folder: Path) -> None:
    del folder
    network = case.make()
    network(case.images()).square().mean().backward()
    missed = [name for name, parameter in network.named_parameters() if parameter.grad is None]
    assert len(missed) == case.unreached, missed


def images_of_a_batch_do_not_meet(case: Case, folder: Path) -> None:
    del folder
    network, x = case.make().eval(), case.images()
    with torch.no_grad():
        torch.testing.assert_close(network(x)[1:], network(x[1:]), rtol=1e-4, atol=1e-5)


def opens_again_equal(case: Case, folder: Path) -> None:
    network, other, x = case.make().eval(), case.make().eval(), case.images(1)
    save_file(network.state_dict(), folder / "weights.safetensors")
    with torch.no_grad():
        assert not torch.equal(network(x), other(x))
        load_into(other, folder / "weights.safetensors")
        assert torch.equal(network(x), other(x))


def restores_whole_images_of_any_size(case: Case, folder: Path) -> None:
    del folder
    image = torch.rand(1, 3, case.side + 1, case.side + 3, generator=torch.Generator().manual_seed(0))
    restored = restore(case.make(), image, scale=case.scale, multiple=case.multiple)
    assert restored.shape == (1, 3, (case.side + 1) * case.scale, (case.side + 3) * case.scale)
    assert 0 <= restored.min() <= restored.max() <= 1


CHECKS: tuple[Callable[[Case, Path], None], ...] = (
    enlarges_by_its_scale,
    gradient_reaches_its_parameters,
    images_of_a_batch_do_not_meet,
    opens_again_equal,
    restores_whole_images_of_any_size,
)
"""The rules. Each may write into a folder of its own."""
