"""Subscriptions as directives."""
