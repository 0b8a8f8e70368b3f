"""Sensitive footage: which it is, and whose consent lets somebody see it."""
