"""Steering by a Bayesian linear model of how a stage's score change depends on the weights that it is trained under."""

from lossagent.agents.respond.agent import Respond, RespondSettings

__all__ = ["Respond", "RespondSettings"]
