"""Recurrent cells compared on the same speech: ``python -m recipes.cells``."""
