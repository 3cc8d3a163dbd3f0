"""Hyperparameters searched with Optuna, by cross-validation over speakers."""
