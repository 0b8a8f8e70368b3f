"""The tests of Keepsight."""
