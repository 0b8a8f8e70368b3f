"""Retention played through over years of virtual time, and judged by a reading of its rules that shares no code with them."""
