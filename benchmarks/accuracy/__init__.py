"""Word errors, word times, confidence and false words on manifests."""
