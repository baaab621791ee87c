"""What all jobs share: flags, exit codes, and the one line that a failure begins with."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from hcf_spark.errors import ConfigError, DataError
from hcf_spark.job import parse_flags, run_job

ROOT = Path(__file__).parents[1]


@pytest.fixture(autouse=True)
def _no_spark(monkeypatch):
    monkeypatch.setattr("hcf_spark.spark.session.get_session", lambda name, config: f"session of {name}")


def raising(error):
    def step(spark, config):
        raise error

    return step


def lines_without_clock(text):
    return [line[9:] if line[2:3] == ":" else line for line in text.splitlines()]


def test_flags_with_space_and_with_equals_sign(tmp_path):
    file = tmp_path / "own.yml"
    file.write_text("seed: 5\nscore: {top_k: 3}")
    spaced = parse_flags("a_job", "", ["--conf", str(file), "--set", "score.top_k=4", "--set", "log_level=debug"])
    joined = parse_flags("a_job", "", [f"--conf={file}", "--set=score.top_k=4", "--set=log_level=debug"])
    assert spaced == joined
    assert (joined.seed, joined.score.top_k, joined.log_level) == (5, 4, "debug")


def test_flags_come_from_the_command_line(monkeypatch):
    monkeypatch.setattr(sys, "argv", ["a_job.py", "--set", "seed=9"])
    assert parse_flags("a_job", "", None).seed == 9


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (["--config", "x.yml"], "unknown flag --config; the nearest valid one is --conf"),
        (["--config=x.yml"], "unknown flag --config=x.yml; the nearest valid one is --conf"),
        (["--sett=a=b"], "unknown flag --sett=a=b; the nearest valid one is --set"),
        (["--con=x.yml"], "unknown flag --con=x.yml; the nearest valid one is --conf"),
        (["--conf"], "argument --conf: expected one argument"),
        (["--set", "sed=1"], "unknown setting sed in --set; the nearest valid one is seed"),
    ],
)
def test_a_wrong_flag_names_the_nearest(argv, message):
    with pytest.raises(ConfigError) as caught:
        parse_flags("a_job", "", argv)
    assert str(caught.value) == message


def test_help_shows_the_flags(capsys):
    with pytest.raises(SystemExit) as stopped:
        parse_flags("a_job", "What it does.", ["--help"])
    assert stopped.value.code == 0
    assert "What it does." in (text := capsys.readouterr().out)
    assert "--conf FILE" in text


def test_a_job_that_succeeds_gives_0_and_logs_its_settings(capsys):
    seen = []
    code = run_job("a_job", lambda spark, config: seen.append((spark, config.seed)), ["--set", "seed=7"], "")
    assert code == 0
    assert seen == [("session of a_job", 7)]
    captured = capsys.readouterr()
    lines = lines_without_clock(captured.err)
    assert captured.out == ""
    assert lines[:2] == ["INFO    a_job starts with these settings:", "seed: 7"]
    assert lines[-1] == "INFO    a_job is done"


def test_wrong_settings_give_2_and_one_line_and_start_nothing(capsys, monkeypatch):
    monkeypatch.setattr("hcf_spark.spark.session.get_session", raising(AssertionError("Spark was started")))
    code = run_job("a_job", raising(AssertionError("the step ran")), ["--set", "sed=1"], "")
    assert code == 2
    assert capsys.readouterr().err == (
        "error: a_job: unknown setting sed in --set; the nearest valid one is seed\n"
    )  # fmt: skip


def test_a_setting_found_wrong_later_gives_2_too(capsys):
    assert run_job("a_job", raising(ConfigError("text.columns: no such column")), ["--set", "log_level=error"], "") == 2
    assert capsys.readouterr().err == "error: a_job: text.columns: no such column\n"


def test_wrong_data_gives_1_and_one_line(capsys):
    error = DataError("table usage lacks the column weight;\n   found a, b")
    assert run_job("a_job", raising(error), ["--set", "log_level=error"], "") == 1
    assert capsys.readouterr().err == "error: a_job: table usage lacks the column weight; found a, b\n"


def test_at_info_only_log_lines_come_before_the_error_line_and_nothing_after_it(capsys):
    assert run_job("a_job", raising(DataError("no rows")), [], "") == 1
    lines = lines_without_clock(capsys.readouterr().err)
    assert lines[0] == "INFO    a_job starts with these settings:"
    assert lines[-1] == "error: a_job: no rows"
    assert not [line for line in lines if "Traceback" in line]


def test_at_debug_the_traceback_follows_the_error_line(capsys):
    assert run_job("a_job", raising(DataError("no rows")), ["--set", "log_level=debug"], "") == 1
    lines = lines_without_clock(capsys.readouterr().err)
    at = lines.index("error: a_job: no rows")
    assert lines[at + 1 : at + 3] == ["DEBUG   traceback of a_job", "Traceback (most recent call last):"]
    assert lines[-1] == "hcf_spark.errors.DataError: no rows"


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (ValueError("cannot do this\nsecond line"), "ValueError: cannot do this"),
        (KeyError(), "KeyError"),
        (OSError(28, "No space left on device"), "OSError: [Errno 28] No space left on device"),
        (
            RuntimeError(
                "\n  An exception was thrown from the Python worker. Please see the stack trace below.\n"
                'Traceback (most recent call last):\n  File "x.py", line 3, in f\nValueError: token=abc is bad\n'
            ),
            "ValueError: token=*** is bad",
        ),
        (
            RuntimeError(
                "An error occurred while calling o430.save.\n"
                ": org.apache.spark.SparkException: Job aborted.\n\tat org.apache.spark.X.y(X.scala:3)\n"
            ),
            "org.apache.spark.SparkException: Job aborted.",
        ),
    ],
)
def test_any_other_failure_gives_1_and_its_own_message_in_one_line(capsys, error, line):
    assert run_job("a_job", raising(error), ["--set", "log_level=error"], "") == 1
    assert capsys.readouterr().err == (
        f"error: a_job: {line}\n       (the full traceback: --set log_level=debug)\n"
    )  # fmt: skip


def test_a_failure_to_start_spark_is_one_line_too(capsys, monkeypatch):
    monkeypatch.setattr("hcf_spark.spark.session.get_session", raising_session)
    assert run_job("a_job", raising(AssertionError), ["--set", "log_level=error"], "") == 1
    assert capsys.readouterr().err.splitlines()[0] == "error: a_job: RuntimeError: no gateway"


def raising_session(name, config):
    raise RuntimeError("no gateway")


def test_an_interrupt_gives_130(capsys):
    assert run_job("a_job", raising(KeyboardInterrupt()), ["--set", "log_level=error"], "") == 130
    assert capsys.readouterr().err == "error: a_job was interrupted\n"


def test_passwords_are_masked_in_the_error_line(capsys):
    error = DataError("cannot reach postgresql://ann:pa55@db/x")
    assert run_job("a_job", raising(error), ["--set", "log_level=debug"], "") == 1
    printed = capsys.readouterr().err
    assert "error: a_job: cannot reach postgresql://ann:***@db/x\n" in printed
    assert "pa55" not in printed


@pytest.mark.parametrize("job", ["load_tables", "build_matrix"])
def test_a_job_refuses_a_wrong_setting_first_and_without_java(job, tmp_path):
    """As a file, as spark-submit starts it: the error line is the first thing seen, and nothing was started."""
    done = subprocess.run(
        [sys.executable, str(ROOT / "jobs" / f"{job}.py"), "--set", "filter.min_density=1"],
        cwd=tmp_path, env={**os.environ, "JAVA_HOME": str(tmp_path)}, capture_output=True, text=True,
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == (
        f"error: {job}: unknown setting filter.min_density in --set; "
        "the nearest valid one is filter.min_product_density\n"
    )


def test_without_java_a_job_says_what_to_install_first(tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "jobs.load_tables", "--set", f"output={tmp_path}"],
        cwd=ROOT, env={**os.environ, "JAVA_HOME": str(tmp_path)}, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 1
    assert done.stderr == (
        f"error: load_tables: Java at {tmp_path}/bin/java does not start (FileNotFoundError): "
        "install a JDK 17 (Debian / Ubuntu: apt-get install openjdk-17-jdk-headless) and, "
        "if several are installed, set JAVA_HOME to it\n"
    )
