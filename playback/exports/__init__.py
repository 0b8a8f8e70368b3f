"""Export jobs: what has to be made before it can be fetched (transcoded, watermarked or packed together)."""
