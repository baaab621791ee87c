"""The command line that benchmarks on a data set share."""

import argparse
import json
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import Any

from hcf_spark.config import Config, load_config
from hcf_spark.errors import ConfigError, HcfError
from hcf_spark.log import configure_logging

DEMO = Path(__file__).parent.parent / "conf" / "demo.yml"


def run_benchmark(
    about: str,
    measure: Callable[..., Iterator[Any]],
    show: Callable[[Any], None],
    can_go_on: bool = False,
    **numbers: int | None,
) -> None:
    """Measure with the demo's settings, --conf over them, in a folder that is removed; write JSON to --out, and print.

    Args:
        about: the text of --help.
        measure: takes the settings, and the numbers by name; gives what it has found so far, once or more often, which
            can be written as JSON.
        show: prints the last of it.
        can_go_on: whether it goes on from what it finds in its folder, which stays if --keep names it.
        numbers: further flags, by name, with their defaults.

    Raises:
        SystemExit: with 2 for wrong flags or settings, 1 for what else can be told in one line.
    """
    parser = argparse.ArgumentParser(description=about)
    parser.add_argument("--data", help="folder of companies.csv, products.csv, usage.csv; else the sample world")
    parser.add_argument("--conf", action="append", default=[])
    parser.add_argument("--out")
    if can_go_on:
        parser.add_argument("--keep", help="folder of a run that goes on, if it is stopped and started again")
    for name, default in numbers.items():
        parser.add_argument(f"--{name}", type=int, default=default)
    flags = parser.parse_args(sys.argv[1:])
    configure_logging("info")
    try:
        found = _measure(flags, measure, {name: getattr(flags, name) for name in numbers}, can_go_on)
    except HcfError as error:
        parser.exit(2 if isinstance(error, ConfigError) else 1, f"{parser.prog}: error: {error}\n")
    show(found)


def _measure(
    flags: argparse.Namespace, measure: Callable[..., Iterator[Any]], numbers: dict[str, int | None], can_go_on: bool
) -> Any:
    """The last of what was found."""
    keep = flags.keep if can_go_on else None
    with nullcontext(Path(keep).absolute()) if keep else tempfile.TemporaryDirectory() as output:
        config: Config = load_config([DEMO, *flags.conf]).model_copy(update={"output": str(output)})
        if flags.data:
            source = {"source": "csv", "folder": str(Path(flags.data).absolute())}
            config = config.model_copy(update={"input": config.input.model_copy(update=source)})
        for found in measure(config, **numbers):
            if flags.out:
                Path(flags.out).write_text(json.dumps(found, indent=1), encoding="utf-8")
    return found
