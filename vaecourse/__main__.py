"""``python -m vaecourse``: the command line, where there is no ``vaecourse`` on the path."""

from vaecourse.publish.cli import app

app(prog_name="python -m vaecourse")
