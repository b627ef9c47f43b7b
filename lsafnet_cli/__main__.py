"""`python -m lsafnet_cli`: the command line."""

from lsafnet_cli.app import main

if __name__ == "__main__":
    main()
