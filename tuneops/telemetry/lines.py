"""Log lines that say whose work they are of, as text for people or as JSON, without secrets.

The standard library's logging, since the lines of every library come by it: a record takes what is
said of the work when it is made, so any handler has it, be it the worker's or OpenTelemetry's.
"""

import json
import logging
from collections.abc import Callable, Iterable
from datetime import UTC, datetime

from opentelemetry import trace

from tuneops.scrub import scrub
from tuneops.telemetry import fields

TALKATIVE = ("azure.core", "azure.identity", "httpx2", "httpcore2", "urllib3")
"""They log every request, with its address."""


def install(form: str, handlers: Iterable[logging.Handler], secrets: Iterable[str]) -> None:
    """Have every record say whose work it is, and these handlers write it in a form."""
    for name in TALKATIVE:
        logging.getLogger(name).setLevel(logging.WARNING)
    logging.setLogRecordFactory(_telling(logging.getLogRecordFactory()))
    made = JsonLine if form == "json" else TextLine
    for handler in handlers:
        handler.setFormatter(made(handler.formatter, secrets))


def _telling(make: Callable[..., logging.LogRecord]) -> Callable[..., logging.LogRecord]:
    """Records that say whose work they are of."""

    def tell(*args: object, **kwargs: object) -> logging.LogRecord:
        record = make(*args, **kwargs)
        record.__dict__.update(fields.current())
        return record

    return tell


class TextLine(logging.Formatter):
    """A line as the handler has written it before, with what is said of the work behind it."""

    def __init__(self, before: logging.Formatter | None, secrets: Iterable[str]) -> None:
        super().__init__()
        self._before = before or logging.Formatter()
        self._secrets = tuple(secrets)

    def format(self, record: logging.LogRecord) -> str:
        """See `logging.Formatter`."""
        said = (f"{short}={_said(record, name)}" for name, short in fields.SHORT.items())
        known = " ".join(each for each in said if not each.endswith("="))
        first, line_break, rest = self._before.format(record).partition("\n")
        suffix = f" [{known}]" if known else ""
        return scrub(f"{first}{suffix}{line_break}{rest}", self._secrets)


class JsonLine(logging.Formatter):
    """A line as one JSON object."""

    def __init__(self, _: logging.Formatter | None, secrets: Iterable[str]) -> None:
        super().__init__()
        self._secrets = tuple(secrets)

    def format(self, record: logging.LogRecord) -> str:
        """See `logging.Formatter`."""
        line = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(),
            "level": record.levelname,
            "logger": record.name,
            "message": self._clean(record.getMessage()),
            **{name: said for name in fields.SHORT if (said := _said(record, name))},
            **_trace(),
        }
        if record.exc_info:
            line["exception"] = self._clean(self.formatException(record.exc_info))
        return json.dumps(line, ensure_ascii=False)

    def _clean(self, text: str) -> str:
        return scrub(text, self._secrets)


def _said(record: logging.LogRecord, name: str) -> str:
    return str(getattr(record, name, ""))


def _trace() -> dict[str, str]:
    """The span in which the line was written."""
    place = trace.get_current_span().get_span_context()
    if not place.is_valid:
        return {}
    return {
        "trace_id": trace.format_trace_id(place.trace_id),
        "span_id": trace.format_span_id(place.span_id),
    }
