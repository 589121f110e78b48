"""Cover: how long own stocks and licences last."""
