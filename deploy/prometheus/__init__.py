"""Prometheus for the stack: scrape configuration, recording and alert rules, their tests."""
