"""The alert engine: assessments of one partition in, alert changes out."""
