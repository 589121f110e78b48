"""Explaining rules and alerts: the life of an alert, why nothing fired, a page per rule."""
