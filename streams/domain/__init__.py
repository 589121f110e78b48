"""The pure risk core: no clock, no input or output, no engine."""
