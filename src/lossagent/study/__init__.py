"""Many runs at the same budget: agents, objectives and seeds, side by side."""
