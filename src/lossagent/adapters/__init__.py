"""Steering inside the trainers of others; a module needs the package that it is for, and none of the others."""
