"""The risk score: evidence, factors, contributions, exposure."""
