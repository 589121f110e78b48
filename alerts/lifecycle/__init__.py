"""The life of an alert as one transition table."""
