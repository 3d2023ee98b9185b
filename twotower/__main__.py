"""Lets `python -m twotower` stand for the command `twotower`."""

from twotower.cli import main

if __name__ == "__main__":
    main()
