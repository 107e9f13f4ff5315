"""What a run was made on: versions, hardware, threads."""

from __future__ import annotations

import os
import platform
from importlib.metadata import PackageNotFoundError, version

import torch

PACKAGES = (
    "lossagent",
    "torch",
    "torchvision",
    "accelerate",
    "numpy",
    "scipy",
    "pillow",
    "safetensors",
    "pydantic",
    "torchmetrics",
    "xllamacpp",
    "pyiqa",
)


def versions() -> dict[str, str]:
    """Package -> version, of those that are installed."""
    found: dict[str, str] = {"python": platform.python_version()}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


def hardware(device: torch.device) -> dict[str, str | int]:
    """Processor, cores and accelerator."""
    facts: dict[str, str | int] = {
        "platform": platform.platform(),
        "processor": _processor(),
        "cores": os.cpu_count() or 1,
        "device": str(device),
    }
    if device.type == "cuda":
        facts["accelerator"] = torch.cuda.get_device_name(device)
    return facts


def reproducibility(device: torch.device) -> dict[str, str | int | float | bool | None]:
    """The facts on which bit-exactness depends; recorded at the start and at each resume, and compared."""
    return {
        "torch": torch.__version__,
        "threads": torch.get_num_threads(),
        "device": str(device),
        "processor": _processor(),
    }


def _processor() -> str:
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:
            names = [line.split(":", 1)[1].strip() for line in file if line.startswith("model name")]
        return names[0] if names else platform.processor()
    except OSError:
        return platform.processor()
