"""The ``flask`` commands, a file a group. One that writes takes its turn at the store's lock beside a server."""

from flask import Flask

from mobile_api.commands import (
    alarms,
    audit,
    backup,
    epochs,
    facility,
    imports,
    keys,
    officers,
    openapi,
    rules,
    terminals,
)


def register_commands(app: Flask) -> None:
    """Puts the groups under ``flask``."""
    for module in (alarms, audit, backup, epochs, facility, imports, keys, officers, openapi, rules, terminals):
        app.cli.add_command(module.group)
