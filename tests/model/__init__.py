"""Models explored over the real deciders."""
