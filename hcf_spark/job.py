"""What every job has in common: flags, settings, log, session, and errors turned into one line and an exit code."""

import argparse
import difflib
import logging
import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, NoReturn

from hcf_spark.config import Config, load_config
from hcf_spark.errors import ConfigError, HcfError
from hcf_spark.log import configure_logging, mask

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

logger = logging.getLogger(__name__)


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise ConfigError(message)


Step = Callable[["SparkSession", Config], object]
Alternative = tuple[str, str, Step]


def parse_flags(name: str, description: str, argv: Sequence[str] | None) -> Config:
    """Settings from ``--conf FILE`` (repeatable) and ``--set a.b=value`` (repeatable).

    Raises:
        ConfigError: an unknown flag (the nearest valid one is named) or a wrong setting.
    """
    flags = _parse(name, description, argv, None)
    return load_config(flags.conf, flags.set)


def _parse(
    name: str, description: str, argv: Sequence[str] | None, alternative: Alternative | None
) -> argparse.Namespace:
    parser = _Parser(prog=name, description=description, allow_abbrev=False)
    parser.add_argument("--conf", action="append", default=[], metavar="FILE", help="settings laid over conf/base.yml")
    parser.add_argument(
        "--set", action="append", default=[], metavar="a.b=value", help="one setting, laid over the files"
    )
    valid = ["--conf", "--set", "--help"]
    if alternative is not None:
        flag, meaning, step = alternative
        parser.add_argument(flag, dest="alternative", action="store_const", const=step, help=meaning)
        valid.append(flag)
    flags, unknown = parser.parse_known_args(argv)
    if unknown:
        near = difflib.get_close_matches(unknown[0].split("=")[0], valid, n=1, cutoff=0.0)[0]
        raise ConfigError(f"unknown flag {unknown[0]}; the nearest valid one is {near}")
    return flags


def run_job(
    name: str, step: Step, argv: Sequence[str] | None, description: str, alternative: Alternative | None = None
) -> int:
    """Run ``step(spark, config)`` as a job.

    Args:
        name: of the job.
        step: what it does.
        argv: flags; None: those of the command line.
        description: for ``--help``.
        alternative: a flag of this job's own, its meaning, and the step that it puts in place of ``step``.

    Returns:
        0 on success; 2 for wrong flags or settings; 1 for any other failure. A failure's first line says what was
        found, where and what to do; its traceback follows only at log level debug.
    """
    configure_logging("info")
    try:
        flags = _parse(name, description, argv, alternative)
        config = load_config(flags.conf, flags.set)
        configure_logging(config.log_level)
        from hcf_spark.spark.session import get_session

        spark = get_session(name, config)
        logger.info("%s starts with these settings:\n%s", name, config.to_yaml().rstrip())
        (getattr(flags, "alternative", None) or step)(spark, config)
    except ConfigError as error:
        return _fail(name, error, 2)
    except KeyboardInterrupt:
        print(f"error: {name} was interrupted", file=sys.stderr)
        return 130
    except Exception as error:
        return _fail(name, error, 1)
    logger.info("%s is done", name)
    return 0


def _fail(name: str, error: Exception, code: int) -> int:
    print(mask(f"error: {name}: {_in_one_line(error)}"), file=sys.stderr)
    logger.debug("traceback of %s", name, exc_info=error)
    if not isinstance(error, HcfError) and not logger.isEnabledFor(logging.DEBUG):
        print("       (the full traceback: --set log_level=debug)", file=sys.stderr)
    return code


def _in_one_line(error: Exception) -> str:
    """What happened, without the stack that Spark puts into the message of an error on a worker or in Java."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    if isinstance(error, HcfError):
        return " ".join(lines)
    if not lines:
        return type(error).__name__
    if "Traceback (most recent call last):" in lines:
        return lines[-1]
    if lines[0].startswith("An error occurred while calling") and len(lines) > 1:
        return lines[1].removeprefix(": ")
    return f"{type(error).__name__}: {lines[0]}"
