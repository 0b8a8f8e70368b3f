"""Adapters of the ports: memory, files, S3, SQLite."""
