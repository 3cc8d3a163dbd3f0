"""Transcribe an archive larger than one machine on a Ray cluster."""
