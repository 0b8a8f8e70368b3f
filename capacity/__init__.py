"""Usage, forecast and plans of storage."""
