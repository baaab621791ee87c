"""Logging of the jobs: one line per milestone on stderr, secrets masked."""

import logging
import re
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

MASKED = "***"
_HIDDEN_NAME = r"(?:passw(?:or)?d|secret|credential|token(?!s)|(?:access|account|api|encryption|private)[._-]?key)"
_URL_PASSWORD = re.compile(r"(://[^/:@\s]*:)[^@/\s]+(@)")
_NAMED_SECRET = re.compile(
    rf"(?i)(?<![\w.-])(?=[\w.-]*?{_HIDDEN_NAME})([\w.-]++['\"]?\s*[=:]\s*)"
    r"(?:'[^']*'|\"[^\"]*\"|(?![\s{\[])[^\s,&]+)"
)

_STACK_TRACES = ("DataFrameQueryContextLogger", "SQLQueryContextLogger")  # Spark's, before the error itself is raised


def mask(text: str) -> str:
    """Replace passwords in URLs and values whose name says that they are secret (``is_secret``) by ``***``.

    >>> mask("postgresql://ann:s3cret@db/mlflow api_token=abc")
    'postgresql://ann:***@db/mlflow api_token=***'
    """
    return _NAMED_SECRET.sub(rf"\1{MASKED}", _URL_PASSWORD.sub(rf"\1{MASKED}\2", text))


def is_secret(name: str) -> bool:
    """Whether a setting of this name holds a secret.

    >>> is_secret("spark.hadoop.fs.s3a.secret.key"), is_secret("encoder.max_tokens")
    (True, False)
    """
    return re.search(_HIDDEN_NAME, name, re.IGNORECASE) is not None


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
    for noisy in _STACK_TRACES:
        logging.getLogger(noisy).setLevel(logging.CRITICAL)


@contextmanager
def timed(logger: logging.Logger, what: str) -> Iterator[None]:
    """Log the start of ``what``, and its end with the seconds it took."""
    logger.info("%s ...", what)
    start = time.perf_counter()
    yield
    logger.info("%s: done in %.1f s", what, time.perf_counter() - start)
