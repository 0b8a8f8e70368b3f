"""Consumers: how much each person and platform may ask for, and what they took."""
