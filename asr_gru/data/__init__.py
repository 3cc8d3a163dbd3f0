"""Manifests of recordings and their texts, in several formats."""
