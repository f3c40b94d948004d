"""A log line is one JSON object, and says nothing of what was submitted."""

import json
import logging
import sys

from services.contracts.request_id import current_request_id
from services.kit.logs import JsonFormatter


def formatted(record: logging.LogRecord) -> dict[str, object]:
    line = JsonFormatter().format(record)
    assert "\n" not in line
    parsed: dict[str, object] = json.loads(line)
    return parsed


def test_a_line_has_the_request_id_and_the_extra_fields() -> None:
    record = logging.makeLogRecord({"name": "a", "levelname": "INFO", "msg": "x %d", "args": (3,), "route": "/r"})
    token = current_request_id.set("id-1")
    line = formatted(record)
    current_request_id.reset(token)
    assert (line["message"], line["route"], line["request_id"], line["level"]) == ("x 3", "/r", "id-1", "info")


def test_an_exceptions_message_which_may_quote_code_is_left_out() -> None:
    try:
        raise ValueError("print('submitted')")
    except ValueError:
        record = logging.makeLogRecord({"name": "a", "levelname": "ERROR", "msg": "bad", "exc_info": sys.exc_info()})
    line = formatted(record)
    assert line["exception"] == "ValueError"
    assert "submitted" not in json.dumps({**line, "traceback": None})
