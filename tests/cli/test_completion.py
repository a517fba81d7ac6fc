"""Tab in a shell: what is installed for bash, and what it offers."""

import os
import subprocess
import sys

from tests.places import REPOSITORY
from tests.waiting import PATIENCE


def complete(**environment):
    done = subprocess.run(
        [sys.executable, "-c", "import sys; sys.argv[0] = 'facegate'; from edge.cli import main; main()"],
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE,
        env={**os.environ, **environment},
    )
    return done.stdout


def test_what_is_installed_is_what_the_command_writes():
    """Below a first line that says where it came from."""
    installed = (REPOSITORY / "systemd" / "completion.bash").read_text()
    assert installed.split("\n", 1)[1] == complete(_FACEGATE_COMPLETE="bash_source")


def test_commands_and_options_are_offered():
    """As bash asks for them."""
    offered = complete(_FACEGATE_COMPLETE="bash_complete", COMP_WORDS="facegate enr", COMP_CWORD="1")
    assert offered.split() == ["plain,enrol"]
    offered = complete(_FACEGATE_COMPLETE="bash_complete", COMP_WORDS="facegate events --ki", COMP_CWORD="2")
    assert offered.split() == ["plain,--kind"]
