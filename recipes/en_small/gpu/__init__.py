"""Training on a GPU for a few minutes: recordings packed, decoded into memory, augmented there."""
