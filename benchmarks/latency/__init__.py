"""Delay from a word's end until it is shown and final."""
