"""Recipes: how models are made, each a folder with its commands."""
