"""The same rules over recorded events."""
