"""One module a group of commands; each is thin: arguments in, a function of the project, a table or JSON out."""
