"""Numbers for images."""
