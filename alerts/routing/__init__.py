"""Who is told of a change."""
