"""Hostile bytes."""
