"""Dashboards as code: what the boards ask, how they look, and how Grafana finds them."""
