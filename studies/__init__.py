"""Experiments that decided a design once; README.md says what each found."""
