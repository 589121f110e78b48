"""Intake: what arrives on the input topics is checked, addressed and written to `signals` in batches."""
