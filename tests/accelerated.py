"""Accelerate keeps what it has chosen for the whole process; tests do not."""

from collections.abc import Generator
from contextlib import contextmanager

from accelerate.state import AcceleratorState, GradientState, PartialState


@contextmanager
def fresh_accelerate() -> Generator[None]:
    """Accelerate has chosen no device yet; what it chooses inside is forgotten."""
    states = (AcceleratorState, GradientState, PartialState)
    before = [dict(state._shared_state) for state in states]
    for state in states:
        state._shared_state.clear()
    try:
        yield
    finally:
        for state, values in zip(states, before, strict=True):
            state._shared_state.clear()
            state._shared_state.update(values)
