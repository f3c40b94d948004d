"""Experiments on labels and process reward models: they label through the services, train, and report.

Each is a module with a config dataclass and a function, which `services.cli.commands.experiment` makes a command of.
Its folder holds the labels, a run for every PRM, and `figures.json`, `report.md` and `report.html`; what is there
already is not made again, so an interrupted experiment goes on where it was.
"""
