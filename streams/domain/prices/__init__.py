"""Prices: series, volatility, comparison between places and assessors."""
