"""The local stack, the command line, dashboards, rules and topics."""
