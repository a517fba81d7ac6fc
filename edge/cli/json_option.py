"""`--json`, of the commands that list something and of those that report one thing."""

from __future__ import annotations

import click

json_option = click.option("--json", "as_json", is_flag=True, help="One JSON object per line.")
report_json_option = click.option("--json", "as_json", is_flag=True, help="One JSON object.")
