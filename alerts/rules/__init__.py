"""The rule language: files, kinds, facts, expressions, texts."""
