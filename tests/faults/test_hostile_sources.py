"""A hostile camera URL or stream reaches no file and no inner service."""
