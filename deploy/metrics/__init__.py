"""What the programs count of themselves, for Prometheus. Wrappers count what passes through ports; the rooms know nothing of it."""
