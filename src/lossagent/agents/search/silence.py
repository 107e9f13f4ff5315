"""Optuna without its announcements."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager


@contextmanager
def quiet_optuna() -> Generator[None]:
    """Optuna is silent but for errors, and as before afterwards.

    It announces each study, and warns of fits of the GP that did not converge, for which it takes its default kernel.
    """
    from optuna import logging

    before = logging.get_verbosity()
    logging.set_verbosity(max(before, logging.ERROR))
    try:
        yield
    finally:
        logging.set_verbosity(before)
