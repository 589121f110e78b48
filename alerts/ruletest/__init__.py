"""Unit tests of rules as YAML: events and ticks on a virtual clock, expected alerts and notices at instants."""
