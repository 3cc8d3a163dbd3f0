"""The recurrent stack on sequences that are not speech: text and time series."""
