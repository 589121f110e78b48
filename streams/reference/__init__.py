"""Reference data and the curated history that ship with the project."""
