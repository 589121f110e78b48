"""The command line, one module a command; each thin: arguments in, a function called, a table or JSON out."""
