import json
import subprocess
import sys

_PROGRAM = """
import sys, structlog
from rooftree.app import create_app
from rooftree.platform.log import configure_logging
from rooftree.platform.settings import Settings

configure_logging("info", "json")
create_app(Settings(data_dir=sys.argv[1]), None, bytes(32))
structlog.get_logger("rooftree.http").error("database away", request_id="abc")
"""


def test_the_application_leaves_log_lines_as_they_were_configured(tmp_path: object) -> None:
    ended = subprocess.run([sys.executable, "-c", _PROGRAM, str(tmp_path)], capture_output=True, text=True, check=True)
    (line,) = ended.stderr.splitlines()
    told = json.loads(line)
    assert (told["event"], told["request_id"], told["logger"]) == ("database away", "abc", "rooftree.http")


_ODD_MAIL = """
import sys
from rooftree.messaging.intake import parse_mail
from rooftree.platform.log import configure_logging

configure_logging("info", "json")
assert parse_mail(b"To: a@b.c\\r\\n\\r\\nHi").bounced == ()
"""


def test_odd_mail_leaves_no_traceback_in_the_log() -> None:
    """Anybody may send it, so that it must not fill logs or wake anybody."""
    ended = subprocess.run([sys.executable, "-c", _ODD_MAIL], capture_output=True, text=True, check=True)
    assert ended.stderr == ""
