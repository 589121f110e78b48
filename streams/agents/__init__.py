"""The worker processes: Faust agents over the cores."""
