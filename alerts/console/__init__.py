"""The console: what people and other systems read, from the read view."""
