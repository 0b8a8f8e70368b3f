"""Keep footage as long as the rules say, remove it when its time is over."""
