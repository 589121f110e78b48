"""One module a subject of assessment; `registry` lists them. `assessor` says what one is."""
