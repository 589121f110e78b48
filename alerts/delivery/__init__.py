"""The delivery ledger and the sender."""
