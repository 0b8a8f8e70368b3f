"""Give footage back: timeline, HLS, snapshot, export, and the page."""
