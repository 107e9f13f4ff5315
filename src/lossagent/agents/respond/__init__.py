"""A Bayesian linear model of how a stage's score change depends on the weights, and the agent that steers by it."""
