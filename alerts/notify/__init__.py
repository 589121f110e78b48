"""Who is told of an alert change: subscriptions, silences, acknowledgements."""
