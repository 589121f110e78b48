"""`python -m deploy.cli`: the `monazite` command."""

from deploy.cli.main import main

main()
