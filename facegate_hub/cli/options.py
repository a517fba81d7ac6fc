"""Options that several of the property's commands have."""

from __future__ import annotations

import getpass

import click

by_option = click.option("--by", default=getpass.getuser, help="Who asks; journaled at the door.")
json_option = click.option("--json", "as_json", is_flag=True, help="One JSON object per line.")
