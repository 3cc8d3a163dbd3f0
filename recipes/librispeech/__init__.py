"""LibriSpeech (Panayotov et al. 2015): manifests for training and evaluation."""
