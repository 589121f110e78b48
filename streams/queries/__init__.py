"""Questions as of a day, as known on a day, answered from a list of events."""
