"""Sources: what opens a camera and yields access units."""
