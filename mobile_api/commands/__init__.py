"""The ``flask`` commands, a file a group. One that writes takes its turn at the store's lock beside a server."""

from flask import Flask

from mobile_api.commands import audit, backup, epochs, facility, officers, openapi, terminals


def register_commands(app: Flask) -> None:
    """Puts the groups under ``flask``."""
    for module in (audit, backup, epochs, facility, officers, openapi, terminals):
        app.cli.add_command(module.group)
