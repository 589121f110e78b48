"""Supply: who produces how much, capacity, dependency and trade."""
