"""A WebSocket and REST server; needs the extra ``server``."""
