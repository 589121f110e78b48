"""Policy: legal acts, the state of every measure, licences it requires."""
