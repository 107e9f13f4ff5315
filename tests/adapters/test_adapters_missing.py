"""An adapter whose framework is not installed says how to get it."""

import importlib
import sys

import pytest

import lossagent.adapters
from lossagent.errors import MissingPackage


@pytest.mark.parametrize(
    ("adapter", "hidden", "extra"),
    [("lightning", ["lightning", "lightning.pytorch"], "lightning"), ("transformers", ["transformers"], "hf")],
)
def test_the_install_line_is_said(monkeypatch, adapter, hidden, extra):
    monkeypatch.delattr(lossagent.adapters, adapter, raising=False)
    monkeypatch.delitem(sys.modules, f"lossagent.adapters.{adapter}", raising=False)
    for name in hidden:
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(MissingPackage, match=rf"pip install 'lossagent\[{extra}\]'"):
        importlib.import_module(f"lossagent.adapters.{adapter}")
