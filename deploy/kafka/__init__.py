"""Topics on a broker: their declaration, making and checking them."""
