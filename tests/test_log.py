"""The log: one stream, one format, no secrets."""

import logging

import pytest

from hcf_spark.log import configure_logging, is_secret, mask, timed


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("postgresql://ann:pa55@db/mlflow", "postgresql://ann:***@db/mlflow"),
        ("redis://:pa55@cache:6379", "redis://:***@cache:6379"),
        ("https://ann:p:w@host/x and http://bob:q@y", "https://ann:***@host/x and http://bob:***@y"),
        ("jdbc:postgresql://h/db?user=ann&password=pa55&ssl=true", "jdbc:postgresql://h/db?user=ann&password=***&ssl=true"),
        ("spark.hadoop.fs.s3a.secret.key: abc, spark.x: 1", "spark.hadoop.fs.s3a.secret.key: ***, spark.x: 1"),
        ("spark.hadoop.fs.s3a.access.key=AKIA", "spark.hadoop.fs.s3a.access.key=***"),
        ("keyPassword: 'two words', x: 1", "keyPassword: ***, x: 1"),
        ('{"api_token": "a,b", "n": 1}', '{"api_token": ***, "n": 1}'),
        ("DATABRICKS_TOKEN=dapi123", "DATABRICKS_TOKEN=***"),
    ],
)  # fmt: skip
def test_secrets_are_masked(text, masked):
    assert mask(text) == masked


@pytest.mark.parametrize(
    "text",
    [
        "encoder: {max_tokens: null, overlap_tokens: 32, batch_tokens: 4096}",
        "https://host:8080/path",
        "file:///tmp/x@y",
        "the tokens: 12 of 30",
        "key: 5",
    ],
)
def test_what_is_no_secret_stays(text):
    assert mask(text) == text


def test_masking_a_long_text_takes_no_time():
    text = "a" * 300_000 + " " + "x.token-" * 20_000
    assert mask(text) == text


def test_names_of_secrets():
    names = ["fs.azure.account.key.x", "fs.s3a.access.key", "db_password", "clientSecret", "API-KEY", "hf_token"]
    assert all(map(is_secret, names))
    assert not any(map(is_secret, ["encoder.batch_tokens", "seed", "score.top_k", "tables.names.companies"]))


def test_records_of_the_package_go_to_stderr_at_their_level(capsys):
    configure_logging("info")
    configure_logging("warning")
    logger = logging.getLogger("hcf_spark.some.module")
    logger.info("not shown")
    logger.warning("shown once, password=%s", "pa55")
    captured = capsys.readouterr()
    assert captured.out == ""
    (line,) = captured.err.splitlines()
    assert line[2:3] == ":"
    assert line[8:] == " WARNING shown once, password=***"


def test_a_traceback_is_masked_too(capsys):
    configure_logging("debug")
    try:
        raise ValueError("cannot reach postgresql://ann:pa55@db")
    except ValueError as error:
        logging.getLogger("hcf_spark").debug("failed", exc_info=error)
    printed = capsys.readouterr().err
    assert "ValueError: cannot reach postgresql://ann:***@db" in printed
    assert "pa55" not in printed


def test_other_libraries_keep_their_loggers():
    root, other = logging.getLogger(), logging.getLogger("py4j")
    before = (list(root.handlers), root.level, list(other.handlers), other.level)
    configure_logging("debug")
    assert (root.handlers, root.level, other.handlers, other.level) == before


def test_spark_does_not_print_a_stack_before_the_error_is_raised():
    configure_logging("info")
    assert not logging.getLogger("SQLQueryContextLogger").isEnabledFor(logging.ERROR)
    assert not logging.getLogger("DataFrameQueryContextLogger").isEnabledFor(logging.ERROR)


def test_timed_tells_start_and_seconds(capsys):
    configure_logging("info")
    with timed(logging.getLogger("hcf_spark"), "counting"):
        pass
    assert [line[17:] for line in capsys.readouterr().err.splitlines()] == ["counting ...", "counting: done in 0.0 s"]


def test_timed_does_not_say_done_of_what_failed(capsys):
    configure_logging("info")

    def fail():
        with timed(logging.getLogger("hcf_spark"), "counting"):
            raise KeyError("x")

    with pytest.raises(KeyError):
        fail()
    assert [line[17:] for line in capsys.readouterr().err.splitlines()] == ["counting ..."]
