"""Engines that speak training texts; ``recipes.en_small.synthesise`` is the command."""
