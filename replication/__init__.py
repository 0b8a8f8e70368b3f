"""Copies of footage at other sites."""
