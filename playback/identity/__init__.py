"""Who asks: users, API keys, sessions, and the entrance that tells them from nobody."""
