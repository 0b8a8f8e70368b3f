"""Settings, wiring and the command line: the only room that names an adapter."""
