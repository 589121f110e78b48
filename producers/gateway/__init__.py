"""The HTTP gateway: events from outside systems, answered only when the broker has them."""
