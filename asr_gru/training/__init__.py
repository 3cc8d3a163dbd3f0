"""Training: configuration, dataset, augmentation, sampler, loss, loop and checkpoints."""
