"""The read view in Redis: how it lies there, who writes it, how it is read."""
