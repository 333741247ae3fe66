"""`python -m earwitness.cli`: the command line."""

from earwitness.cli import main

main()
