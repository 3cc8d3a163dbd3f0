"""Training: configuration, corpus, augmentation, batches, loop, checkpoints."""
