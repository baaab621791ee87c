"""The check for a Java that Spark 4.0 runs on. Needs nothing but Python: it runs before anything is installed."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

SUPPORTED = (17, 21)
ADVICE = (
    "install a JDK 17 (Debian / Ubuntu: apt-get install openjdk-17-jdk-headless) "
    "and, if several are installed, set JAVA_HOME to it"
)


def find_java() -> str | None:
    """Path of the ``java`` that Spark would start: that of JAVA_HOME, else the first on PATH."""
    home = os.environ.get("JAVA_HOME")
    return str(Path(home) / "bin" / "java") if home else shutil.which("java")


def parse_major(banner: str) -> int | None:
    """Major version in the output of ``java -version``.

    >>> parse_major('openjdk version "17.0.15" 2025-04-15'), parse_major('java version "1.8.0_402"')
    (17, 8)
    """
    found = re.search(r'version "(?:1\.)?(\d+)', banner)
    return int(found.group(1)) if found else None


def java_problem() -> str | None:
    """One line that says what is wrong with this machine's Java and what to do, or None if Spark can use it."""
    java = find_java()
    if java is None:
        return f"no Java found: {ADVICE}"
    try:
        done = subprocess.run([java, "-version"], capture_output=True, check=True, timeout=60)
    except (OSError, subprocess.SubprocessError) as error:
        return f"Java at {java} does not start ({type(error).__name__}): {ADVICE}"
    major = parse_major(done.stderr.decode(errors="replace"))
    if major not in SUPPORTED:
        return f"Java {major or 'of unknown version'} found at {java}, but Spark 4.0 runs on 17 or 21: {ADVICE}"
    return None


if __name__ == "__main__":
    problem = java_problem()
    if problem:
        print(f"error: {problem}", file=sys.stderr)
        sys.exit(1)
