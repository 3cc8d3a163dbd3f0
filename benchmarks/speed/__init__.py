"""Start-up time and real-time factor on one thread."""
