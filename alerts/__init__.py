"""From assessments to alerts, deliveries and the console."""
