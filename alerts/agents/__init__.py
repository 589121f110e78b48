"""The alerts worker process."""
