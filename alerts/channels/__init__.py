"""Where notices go: structured log, signed webhook."""
