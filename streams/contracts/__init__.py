"""Wire types, topics and codec: importable without the engine."""
