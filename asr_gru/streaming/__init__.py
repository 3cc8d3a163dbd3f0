"""Streams: engine, segments, endpoints, batches of streams, and whole recordings."""
