"""Rules of the house: sizes, names, wiring."""
