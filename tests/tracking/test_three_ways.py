"""One registered model, called as a Python function, as a Spark column and over HTTP: the same answers."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import mlflow
import numpy as np
import pandas as pd
import pytest
import requests
import scipy.sparse as sp
from pyspark.sql import functions as F
from tiny_package import make_package
from worlds import fit_first

from benchmarks.latency import measure
from hcf_spark.evaluation.closed_form import CLOSED_FORM
from hcf_spark.models.companies import Companies
from hcf_spark.models.directory import Directory

QUESTIONS = pd.DataFrame(
    {
        "company_id": ["c1", None, "new", None],
        "description": ["we sell cloud data", None, "a bank", None],
        "products": [["p0", "p3"], ["p1", "no such"], None, []],
        "product_id": ["p2", "p4", "no such", None],
    }
)
SCHEMA = "place int, company_id string, description string, products array<string>, product_id string"
ROWS = [(place, *row) for place, row in enumerate(QUESTIONS.itertuples(index=False, name=None))]
ANSWER = (
    "struct<product_ids:array<string>,scores:array<double>,based_on:string,unknown_products:array<string>,"
    "reasons:array<string>,contributions:array<array<struct<kind:string,name:string,share:double>>>,"
    "company_ids:array<string>,vector:array<double>>"
)
TASKS = ["products", "vector", "look_alikes", "companies"]
SECONDS_TO_START = 150


@pytest.fixture(scope="module")
def model_uri(register, store):
    """A model of text and products with a directory."""
    random = np.random.default_rng(0)
    known = sp.csr_matrix((random.random((12, 5)) < 0.5).astype(np.float32))
    companies = Companies(random.standard_normal((12, 16)).astype(np.float32), known, np.arange(12))
    model = fit_first(CLOSED_FORM["ease_text"], companies)
    register("three ways", make_package(model, store, n_companies=12, directory=Directory.of(model, companies, 4)))
    return "models:/three ways@challenger"


@pytest.fixture(scope="module")
def loaded(model_uri):
    return mlflow.pyfunc.load_model(model_uri)


@pytest.fixture(scope="module")
def server(model_uri, tmp_path_factory):
    """Base URL of a started `mlflow models serve`."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "mlflow", "models", "serve", "--model-uri", model_uri,
               "--env-manager", "local", "--host", "127.0.0.1", "--port", str(port)]  # fmt: skip
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = {**os.environ, "MLFLOW_TRACKING_URI": mlflow.get_tracking_uri(), "PATH": path}
    log = tmp_path_factory.mktemp("server") / "log"
    with log.open("w") as output:
        process = subprocess.Popen(
            command, env=environment, stdout=output, stderr=output, cwd=log.parent, start_new_session=True
        )
    try:
        url = f"http://127.0.0.1:{port}"
        deadline = time.monotonic() + SECONDS_TO_START
        while not answers(f"{url}/ping"):
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < deadline, log.read_text()
            time.sleep(0.2)
        yield url
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        process.wait(timeout=30)


def answers(url):
    try:
        return requests.get(url, timeout=5).ok
    except requests.ConnectionError:
        return False


def post(server, body):
    """Status and decoded answer."""
    body = body if isinstance(body, bytes) else json.dumps(body)
    headers = {"Content-Type": "application/json"}
    response = requests.post(f"{server}/invocations", body, headers=headers, timeout=60)
    return response.status_code, response.json()


def records(frame):
    return json.loads(frame.to_json(orient="records"))


def assert_same(answer, expected):
    """Records with the same ids and words, and numbers within 1e-5."""
    assert len(answer) == len(expected)
    for one, other in zip(answer, expected, strict=True):
        assert without_numbers(one) == without_numbers(other)
        np.testing.assert_allclose(numbers(one), numbers(other), atol=1e-5)


def without_numbers(value):
    if isinstance(value, dict):
        return {key: without_numbers(part) for key, part in value.items()}
    if isinstance(value, list):
        return [without_numbers(part) for part in value]
    return None if isinstance(value, float) else value


def numbers(value):
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list):
        return [number for part in value for number in numbers(part)]
    return [value] if isinstance(value, float) else []


@pytest.mark.parametrize("task", TASKS)
def test_over_http_as_in_python(loaded, server, task):
    params = {"task": task, "top_k": 4, "with_reasons": True}
    expected = records(loaded.predict(QUESTIONS, params=params))
    status, answer = post(server, {"dataframe_records": records(QUESTIONS), "params": params})
    assert status == 200
    assert_same(answer["predictions"], expected)


@pytest.mark.spark
@pytest.mark.parametrize("task", TASKS)
def test_as_a_spark_column_as_in_python(loaded, model_uri, spark, task):
    params = {"task": task, "top_k": 4, "with_reasons": True}
    expected = records(loaded.predict(QUESTIONS, params=params))
    answer = mlflow.pyfunc.spark_udf(spark, model_uri, env_manager="local", params=params)
    asked = spark.createDataFrame(ROWS, SCHEMA).repartition(2)
    answered = asked.select("place", answer(F.struct(*QUESTIONS.columns)).alias("answer"))
    found = [row.answer.asDict(recursive=True) for row in sorted(answered.collect())]
    assert_same(found, expected)
    assert answered.schema["answer"].dataType.simpleString() == ANSWER


@pytest.mark.spark
@pytest.mark.distributed
def test_as_a_spark_column_on_a_cluster_as_in_python(loaded, model_uri, tmp_path):
    params = {"task": "products", "top_k": 4, "with_reasons": True}
    expected = records(loaded.predict(QUESTIONS, params=params))
    (tmp_path / "question.json").write_text(json.dumps({"schema": SCHEMA, "rows": ROWS, "params": params}))
    script = Path(__file__).parent.parent / "distributed" / "ask_on_cluster.py"
    command = [sys.executable, script, mlflow.get_tracking_uri(), model_uri, tmp_path / "question.json"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr[-3000:]
    answer = json.loads((tmp_path / "answer.json").read_text())
    assert_same(answer["rows"], expected)
    assert answer["type"] == ANSWER


RECORDS = [{"description": "we sell data"}]
BAD = {
    "no JSON": (b"what shall I sell?", "Ensure that input is a valid JSON formatted string"),
    "no list of records": ({"dataframe_records": "we sell data"}, "must be a list of records"),
    "no companies": ({"params": {"top_k": 3}}, "exactly one of the input fields"),
    "no known column": (
        {"dataframe_records": [{"text": "we sell data"}]},
        "give at least one of the columns company_id, description, products",
    ),
    "no product": ({"dataframe_records": RECORDS, "params": {"top_k": 0}}, "top_k must be at least 1, found 0"),
    "top_k in words": ({"dataframe_records": RECORDS, "params": {"top_k": "five"}}, "long` for value `five`"),
    "no such task": ({"dataframe_records": RECORDS, "params": {"task": "churn"}}, "task 'churn' is unknown, give one"),
    "products in a string": ({"dataframe_records": [{"products": "p0, p1"}]}, "Expected data to be list"),
    "a number as text": (
        {"dataframe_records": [{"description": 7}]}, "column description holds strings or nulls, found 7",
    ),
    "a list as id": (
        {"dataframe_records": [{"company_id": ["c1"]}]}, "column company_id holds strings or nulls, found ['c1']",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD)
def test_a_bad_request_is_answered_with_400_and_a_clear_line(server, case):
    body, message = BAD[case]
    status, answer = post(server, body)
    assert status == 400
    assert message in answer["message"]


def test_latency_is_told_with_the_part_of_the_encoder(loaded):
    found = measure(loaded, ["we sell cloud data"] * 30)
    assert found.keys() == {"median", "p99", "encoder_median"}
    assert 0 < found["encoder_median"] < found["median"] < found["p99"]
