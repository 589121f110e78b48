"""From events on the topics to assessments on the log."""
