"""``lossagent doctor``."""

from __future__ import annotations

import os
import shutil
from importlib.util import find_spec
from pathlib import Path

import torch
from rich.console import Console
from rich.markup import escape
from rich.table import Column, Table

from lossagent import assets, environment

EXTRAS = {
    "xllamacpp": ("llm", "embedded language model"),
    "skimage": ("demo", "photographs of the demo: scikit-image"),
    "sklearn": ("demo", "photographs of the demo: scikit-learn"),
    "spandrel": ("archs", "foreign architectures"),
    "pyiqa": ("iqa", "pyiqa's metrics (PolyForm Noncommercial)"),
    "optuna": ("search", "black-box agents, shared studies: Optuna"),
    "cmaes": ("search", "black-box agents: cmaes"),
    "submitit": ("cluster", "studies on Slurm"),
    "lightning": ("lightning", "adapter for Lightning"),
    "transformers": ("hf", "adapter for transformers"),
    "sentencepiece": ("co-instruct", "Co-Instruct"),
    "starlette": ("dashboard", "dashboard: Starlette"),
    "uvicorn": ("dashboard", "dashboard: uvicorn"),
    "tensorboard": ("trackers", "TensorBoard"),
    "wandb": ("trackers", "Weights & Biases"),
    "mlflow": ("trackers", "MLflow"),
}


def doctor() -> None:
    """Says what is installed, what is missing, and how to get it.

    Example: lossagent doctor
    """
    console = Console(highlight=False, emoji=False)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    found = Table("what", "found", Column("how to get it", overflow="fold"), box=None)
    for package, version in environment.versions().items():
        found.add_row(package, version, "")
    for name, value in environment.hardware(device).items():
        found.add_row(name, str(value), "")
    free = shutil.disk_usage(Path.cwd()).free / 2**30
    found.add_row("free disk here", f"{free:.1f} GiB", "")
    found.add_row("asset cache", str(assets.cache()), "LOSSAGENT_HOME moves it")
    for package, (extra, purpose) in EXTRAS.items():
        there = find_spec(package) is not None
        how = "" if there else escape(f"pip install 'lossagent[{extra}]'")
        found.add_row(purpose, "yes" if there else "missing", how)
    for name, asset in assets.ASSETS.items():
        status = assets.verify(name)
        found.add_row(asset.what, status, "" if status == "ok" else f"lossagent assets fetch {name}")
    key = "set" if os.environ.get("OPENAI_API_KEY") else "not set"
    found.add_row("OPENAI_API_KEY", key, "only for hosted language models")
    console.print(found)
