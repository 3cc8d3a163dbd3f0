"""What training and evaluation read: manifests of recordings and texts."""
