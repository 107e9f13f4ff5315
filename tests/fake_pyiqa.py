"""A small package that stands in for pyiqa: its table, its way of making metrics, and every way it can go wrong."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from textwrap import dedent

import pytest

TABLE = """
from collections import OrderedDict

DEFAULT_CONFIGS = OrderedDict({
    "bright": {"metric_opts": {"type": "Bright"}, "metric_mode": "NR", "score_range": "0, 1"},
    "dark": {"metric_opts": {"type": "Bright", "gain": 2.0}, "metric_mode": "NR", "lower_better": True,
             "score_range": "~0, ~200"},
    "gap": {"metric_opts": {"type": "Gap"}, "metric_mode": "FR", "lower_better": True, "score_range": "0, ~"},
    "steps": {"metric_opts": {"type": "Steps"}, "metric_mode": "NR", "score_range": "0, 1"},
    "crops": {"metric_opts": {"type": "Crops"}, "metric_mode": "NR", "score_range": "0, 1"},
    "averaged": {"metric_opts": {"type": "Averaged"}, "metric_mode": "NR", "score_range": "0, 1"},
    "pair": {"metric_opts": {"type": "Pair"}, "metric_mode": "NR", "score_range": "a: 0, 1; b: 0, 2"},
    "weighted": {"metric_opts": {"type": "Weighted"}, "metric_mode": "NR", "score_range": "0, 1"},
    "clipped": {"metric_opts": {"type": "Clipped"}, "metric_mode": "NR", "score_range": "0, 1"},
    "hub": {"metric_opts": {"type": "Hub"}, "metric_mode": "NR", "score_range": "0, 1"},
    "lacking": {"metric_opts": {"type": "Lacking"}, "metric_mode": "NR", "score_range": "0, 1"},
    "late": {"metric_opts": {"type": "Late"}, "metric_mode": "NR", "score_range": "0, 1"},
    "picky": {"metric_opts": {"type": "Picky"}, "metric_mode": "NR", "score_range": "0, 1"},
    "qalign": {"metric_opts": {"type": "QAlign"}, "metric_mode": "NR", "score_range": "1, 5"},
    "qalign_8bit": {"metric_opts": {"type": "QAlign", "dtype": "8bit"}, "metric_mode": "NR", "score_range": "1, 5"},
    "clipiqa": {"metric_opts": {"type": "CLIPIQA"}, "metric_mode": "NR", "score_range": "0, 1"},
    "fid": {"metric_opts": {"type": "FID"}, "metric_mode": "NR", "lower_better": True, "score_range": "0, ~"},
    "clipscore": {"metric_opts": {"type": "CLIPScore"}, "metric_mode": "NR", "score_range": "0, 2.5"},
})
"""

PACKAGE = """
import torch

from pyiqa.archs import fake_arch
from pyiqa.default_model_configs import DEFAULT_CONFIGS

MADE = []


class Metric(torch.nn.Module):
    def __init__(self, net, as_loss):
        super().__init__()
        self.net, self.as_loss = net, as_loss

    def forward(self, target, ref=None):
        with torch.set_grad_enabled(self.as_loss):
            return self.net(target) if ref is None else self.net(target, ref)


def create_metric(name, as_loss=False, loss_reduction="mean", device=None, **options):
    assert loss_reduction == "none"
    print("Loading pretrained model", name)
    chosen = dict(DEFAULT_CONFIGS[name]["metric_opts"])
    kind = chosen.pop("type")
    chosen.update(options)
    MADE.append((name, str(device)))
    torch.rand(3)
    return Metric(getattr(fake_arch, kind)(**chosen).to(device), as_loss)
"""

KINDS = '''
import os
import urllib.request
import warnings

import numpy as np
import torch
from torch import nn
from torch.hub import download_url_to_file


def folder():
    return os.environ["FAKE_WEIGHTS"]


class Bright(nn.Module):
    def __init__(self, gain=1.0, color_space="yiq", crop_border=0, flip: bool = False, pretrained_model_path=None):
        super().__init__()
        self.gain, self.seen = gain, []

    def forward(self, x):
        self.seen.append(len(x))
        return self.gain * x.mean(dim=(1, 2, 3), keepdim=False)[:, None]


class Gap(nn.Module):
    def __init__(self, power=1, **kwargs):
        super().__init__()

    def forward(self, x, y):
        return (x - y).abs().mean(dim=(1, 2, 3))


def gap(x, y, data_range=1.0):
    return None


class Steps(nn.Module):
    def forward(self, x):
        return (x * 255).round().mean(dim=(1, 2, 3)) / 255


class Crops(nn.Module):
    def forward(self, x):
        left = int(torch.randint(0, x.shape[-1] - 8, (1,)))
        top = np.random.randint(0, x.shape[-2] - 8)
        return x[..., top : top + 8, left : left + 8].mean(dim=(1, 2, 3))


class Averaged(nn.Module):
    def forward(self, x):
        return x.mean()


class Pair(nn.Module):
    def forward(self, x):
        return x.mean(), {"rank": 1}


class Weighted(nn.Module):
    def __init__(self):
        super().__init__()
        path = os.path.join(folder(), "weighted.pth")
        if not os.path.exists(path):
            download_url_to_file("http://127.0.0.1:9/weights/weighted.pth", path, hash_prefix=None, progress=False)
        self.gain = torch.load(path, map_location="cpu", weights_only=False)["gain"]

    def forward(self, x):
        return float(self.gain) * x.mean(dim=(1, 2, 3))


class Clipped(nn.Module):
    def __init__(self):
        super().__init__()
        download_target = os.path.join(folder(), "RN50.pt")
        with urllib.request.urlopen("http://127.0.0.1:9/clip/RN50.pt") as source:
            source.read()


class Hub(nn.Module):
    def __init__(self):
        super().__init__()
        from huggingface_hub import hf_hub_download

        for name in ("model.safetensors", "pytorch_model.bin"):
            try:
                hf_hub_download("someone/model", name, cache_dir=folder())
            except OSError:
                continue
        raise OSError("no weights in any form")


class Lacking(nn.Module):
    def __init__(self):
        super().__init__()
        import a_package_that_is_nowhere.inside


class Late(nn.Module):
    """Wants a part when it sees the first image."""

    def forward(self, x):
        path = os.path.join(folder(), "detector.pth")
        if not os.path.exists(path):
            download_url_to_file("http://127.0.0.1:9/weights/detector.pth", path, None, False)
        return x.mean(dim=(1, 2, 3))


class Picky(nn.Module):
    def forward(self, x):
        assert min(x.shape[-2:]) >= 64, "wants 64 pixels\\nat least"
        return x.mean(dim=(1, 2, 3))


class QAlign(nn.Module):
    def __init__(self, dtype="fp16"):
        super().__init__()
        if dtype == "8bit":
            warnings.warn("Failed to enable 8bit quantization (no). Falling back to fp16.", RuntimeWarning)

    def forward(self, x):
        assert x.shape[0] == 1
        return 1 + 4 * x.mean(dim=(1, 2, 3))


class CLIPIQA(Bright):
    pass
'''


def install(folder: Path, patch: pytest.MonkeyPatch) -> Path:
    """Makes the package importable in place of any pyiqa.

    Args:
        folder: an empty one.
        patch: undoes it.

    Returns:
        The folder in which it looks for weights.
    """
    package, weights = folder / "packages" / "pyiqa", folder / "weights"
    (package / "archs").mkdir(parents=True)
    weights.mkdir()
    (package / "default_model_configs.py").write_text(TABLE)
    (package / "__init__.py").write_text(PACKAGE)
    (package / "archs" / "__init__.py").write_text("")
    (package / "archs" / "fake_arch.py").write_text(KINDS)
    info = folder / "packages" / "pyiqa-9.8.7.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(
        dedent("""\
        Metadata-Version: 2.1
        Name: pyiqa
        Version: 9.8.7
    """)
    )
    for name in [name for name in sys.modules if name.partition(".")[0] == "pyiqa"]:
        patch.delitem(sys.modules, name)
    patch.setenv("FAKE_WEIGHTS", str(weights))
    patch.syspath_prepend(str(folder / "packages"))
    importlib.invalidate_caches()
    return weights


def uninstall() -> None:
    """Forgets what was imported of it."""
    for name in [name for name in sys.modules if name.partition(".")[0] == "pyiqa"]:
        del sys.modules[name]
