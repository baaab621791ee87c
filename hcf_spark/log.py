"""Logging of the jobs: one line per milestone on stderr, secrets masked."""

import logging
import re
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

_URL_PASSWORD = re.compile(r"(://[^/:@\s]+:)[^@/\s]+(@)")
_NAMED_SECRET = re.compile(r"(?i)\b([\w.-]*(?:password|secret|token)\b['\"]?\s*[=:]\s*['\"]?)(?![\s'\"{\[])[^\s,'\"&]+")


def mask(text: str) -> str:
    """Replace passwords in URLs and values named password, secret or token by ``***``.

    >>> mask("postgresql://ann:s3cret@db/mlflow api_token=abc")
    'postgresql://ann:***@db/mlflow api_token=***'
    """
    return _NAMED_SECRET.sub(r"\1***", _URL_PASSWORD.sub(r"\1***\2", text))


class _MaskingFormatter(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        return mask(super().format(record))


def configure_logging(level: str) -> None:
    """Send the records of this package to stderr at ``level``; other libraries keep their own loggers."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_MaskingFormatter("%(asctime)s %(levelname)-7s %(message)s", "%H:%M:%S"))
    logger = logging.getLogger("hcf_spark")
    logger.handlers = [handler]
    logger.setLevel(level.upper())
    logger.propagate = False


@contextmanager
def timed(logger: logging.Logger, what: str) -> Iterator[None]:
    """Log the start of ``what``, and its end with the seconds it took."""
    logger.info("%s ...", what)
    start = time.perf_counter()
    yield
    logger.info("%s: done in %.1f s", what, time.perf_counter() - start)
