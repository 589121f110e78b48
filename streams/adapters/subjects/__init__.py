"""One module a subject of assessment; `registry` lists them. `subject` says what one is, `findings` what they share."""
