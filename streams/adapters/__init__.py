"""What joins the pure cores to the runtime, the metrics and the read view."""
