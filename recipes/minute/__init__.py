"""Synthetic speech, so that a model can be trained and used without any data."""
