"""The command line, `linewise`: starts the services, asks them, trains, and shows the whole method."""

from services.cli.app import main

__all__ = ["main"]
