"""What a run was made on: versions, hardware, threads, processes."""

from __future__ import annotations

import os
import platform
from collections.abc import Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import torch
import torch.distributed as dist

from lossagent.feedback import MetricFacts

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


def record(device: torch.device, metrics: Mapping[str, MetricFacts], licences: Sequence[str] = ()) -> dict[str, Any]:
    """What every run keeps in ``environment.json``, whoever trains it.

    Args:
        device: where networks are.
        metrics: facts of every metric.
        licences: notices of what else is used.
    """
    return {
        "versions": versions(),
        "hardware": hardware(device),
        "threads": torch.get_num_threads(),
        "device": str(device),
        "metrics": {name: facts.model_dump(mode="json") for name, facts in metrics.items()},
        "notices": ["lossagent is licensed under Apache-2.0.", *licences],
        "package": version("lossagent"),
    }


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
