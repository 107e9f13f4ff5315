"""A trajectory as an Optuna study, for its dashboard, its plots and its importances."""

from lossagent.adapters.optuna.study import to_study

__all__ = ["to_study"]
