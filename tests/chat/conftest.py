"""Fixtures of the chat tests."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from fault_server import FaultServer


@pytest.fixture
def fault_server() -> Iterator[FaultServer]:
    """A server that plays what its test tells it."""
    with FaultServer() as server:
        yield server
