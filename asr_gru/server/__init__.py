"""The same streams behind WebSocket and REST; needs the extra ``server``."""
