"""The check of Java, with scripts that play a ``java``."""

import subprocess
import sys
from pathlib import Path

import pytest

from hcf_spark import java
from hcf_spark.java import ADVICE, find_java, java_problem, parse_major

BANNERS = {
    17: 'openjdk version "17.0.15" 2025-04-15\nOpenJDK Runtime Environment (build 17.0.15+6-Debian)',
    21: 'openjdk version "21" 2023-09-19',
    8: 'java version "1.8.0_402"\nJava(TM) SE Runtime Environment',
    11: 'openjdk version "11.0.22" 2024-01-16',
    25: 'openjdk version "25-ea" 2025-09-16',
}


@pytest.fixture
def path(tmp_path, monkeypatch):
    """An empty folder as the whole PATH, and no JAVA_HOME."""
    folder = tmp_path / "path"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))
    monkeypatch.delenv("JAVA_HOME", raising=False)
    return folder


def put_java(folder, banner, code=0):
    """A ``java`` that prints a banner on stderr, as the real one does."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "banner").write_bytes(banner if isinstance(banner, bytes) else banner.encode())
    script = folder / "java"
    script.write_text(f"#!/bin/sh\nwhile read -r line; do echo \"$line\" >&2; done < '{folder}/banner'\nexit {code}\n")
    script.chmod(0o755)
    return str(script)


@pytest.mark.parametrize("major", [17, 21])
def test_a_java_that_spark_runs_on_is_no_problem(path, major):
    found = put_java(path, BANNERS[major] + "\n")
    assert find_java() == found
    assert java_problem() is None


def test_further_lines_before_the_version_do_not_matter(path):
    put_java(path, "Picked up JAVA_TOOL_OPTIONS: -Xmx1g\n" + BANNERS[17] + "\n")
    assert java_problem() is None


@pytest.mark.parametrize("major", [8, 11, 25])
def test_another_version_is_told(path, major):
    found = put_java(path, BANNERS[major] + "\n")
    assert java_problem() == f"Java {major} found at {found}, but Spark 4.0 runs on 17 or 21: {ADVICE}"


@pytest.mark.parametrize(
    "banner", ["command not configured\n", "", b"version \xff\xfe\n"], ids=["text", "none", "bytes"]
)
def test_a_banner_without_version_is_told(path, banner):
    found = put_java(path, banner)
    assert java_problem() == f"Java of unknown version found at {found}, but Spark 4.0 runs on 17 or 21: {ADVICE}"


def test_no_java_is_told_with_the_package_that_brings_it(path):
    assert java_problem() == (
        "no Java found: install a JDK 17 (Debian / Ubuntu: apt-get install openjdk-17-jdk-headless) and, "
        "if several are installed, set JAVA_HOME to it"
    )


def test_a_java_that_fails_is_told(path):
    found = put_java(path, BANNERS[17] + "\n", code=1)
    assert java_problem() == f"Java at {found} does not start (CalledProcessError): {ADVICE}"


def test_a_java_that_hangs_is_told(path, monkeypatch):
    found = put_java(path, BANNERS[17] + "\n")

    def run(command, **options):
        raise subprocess.TimeoutExpired(command, options["timeout"])

    monkeypatch.setattr(java.subprocess, "run", run)
    assert java_problem() == f"Java at {found} does not start (TimeoutExpired): {ADVICE}"


def test_java_home_goes_before_path(path, tmp_path, monkeypatch):
    put_java(path, BANNERS[8] + "\n")
    found = put_java(tmp_path / "jdk" / "bin", BANNERS[17] + "\n")
    monkeypatch.setenv("JAVA_HOME", str(tmp_path / "jdk"))
    assert find_java() == found
    assert java_problem() is None


def test_a_java_home_without_java_is_told(path, tmp_path, monkeypatch):
    put_java(path, BANNERS[17] + "\n")
    monkeypatch.setenv("JAVA_HOME", str(tmp_path / "gone"))
    assert java_problem() == f"Java at {tmp_path}/gone/bin/java does not start (FileNotFoundError): {ADVICE}"


@pytest.mark.parametrize(("major", "banner"), BANNERS.items())
def test_major_versions(major, banner):
    assert parse_major(banner) == major


def test_as_a_program_it_needs_nothing_but_python(path, monkeypatch):
    """``make`` runs it with any Python, before the environment is made."""
    put_java(path, BANNERS[8] + "\n")
    command = [sys.executable, "-I", "-S", str(Path(java.__file__))]
    wrong = subprocess.run(command, capture_output=True, text=True)
    assert (wrong.returncode, wrong.stdout) == (1, "")
    assert wrong.stderr == f"error: Java 8 found at {path}/java, but Spark 4.0 runs on 17 or 21: {ADVICE}\n"
    put_java(path, BANNERS[17] + "\n")
    right = subprocess.run(command, capture_output=True, text=True)
    assert (right.returncode, right.stdout, right.stderr) == (0, "", "")
