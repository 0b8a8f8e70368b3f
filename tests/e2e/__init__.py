"""The whole service, end to end."""
