"""What a run was made on: versions, hardware, threads, processes."""

from __future__ import annotations

import os
import platform
from importlib.metadata import PackageNotFoundError, version

import torch
import torch.distributed as dist

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
    """Processor, cores, accelerator and how many processes like this one."""
    facts: dict[str, str | int] = {
        "platform": platform.platform(),
        "processor": _processor(),
        "cores": os.cpu_count() or 1,
        "device": str(device),
        "ranks": ranks(),
    }
    if device.type == "cuda":
        facts["accelerator"] = torch.cuda.get_device_name(device)
    return facts


def reproducibility(device: torch.device) -> dict[str, str | int | float | bool | None]:
    """The facts on which bit-exactness depends; recorded at the start and at each resume, and compared."""
    return {
        "torch": torch.__version__,
        "threads": torch.get_num_threads(),
        "device": device.type,
        "processor": _processor(),
        "ranks": ranks(),
    }


def ranks() -> int:
    """How many processes share the run."""
    return dist.get_world_size() if dist.is_available() and dist.is_initialized() else 1


def _processor() -> str:
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:
            names = [line.split(":", 1)[1].strip() for line in file if line.startswith("model name")]
        return names[0] if names else platform.processor()
    except OSError:
        return platform.processor()
