"""Webhooks: what happened is told to other platforms' addresses, signed, at least once, in order per camera where that can be."""
