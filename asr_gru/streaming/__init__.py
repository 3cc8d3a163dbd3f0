"""Samples in, events out: streams, segments, endpoints, and whole recordings through them."""
