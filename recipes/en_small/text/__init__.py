"""Free English text for the bundled language model: collected, normalised, checked for leaks."""
