"""From a camera's stream to sealed, durable segments, and from there into the pool and the index."""
