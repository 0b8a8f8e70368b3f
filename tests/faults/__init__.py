"""What happens when things break, each with its negative control."""
