"""A fast stand-in for runs: a response model fitted to recorded ones. Whatever comes from it is simulated."""
