"""Makers of the reference pages."""
