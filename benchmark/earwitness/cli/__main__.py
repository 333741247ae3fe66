"""`python -m earwitness.cli`: the command line."""

from earwitness.cli import main

if __name__ == "__main__":
    main()
