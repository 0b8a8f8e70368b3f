"""Questions of planners: how much storage there is, when it is full, and what a plan comes to."""
