"""Is there anything to steer? Short runs under a few weights against the noise of the score."""
