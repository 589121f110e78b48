"""The HTTP way in: CloudEvents from other systems, with a key, an answer for each event, and nothing lost."""
