"""The assess stage: events of one partition in, assessments of what they change out."""
