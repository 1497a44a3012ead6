#!/usr/bin/env python
"""Command line of the Vault: `python manage.py help` lists what it can do."""

import sys


def main() -> None:
    from ctms.settings.choice import choose_settings

    choose_settings()
    from ctms.machine.command_line import CommandLine

    CommandLine(sys.argv).execute()


if __name__ == "__main__":
    main()
