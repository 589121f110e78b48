"""The local stack: broker, Redis-compatible server and worker processes on one machine."""
