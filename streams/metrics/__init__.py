"""Metrics: one catalogue, one collector a worker, one small HTTP endpoint."""
