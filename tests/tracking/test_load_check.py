"""A registered version asked in a process of its own; the process is started for real."""

from dataclasses import replace

import mlflow
import numpy as np
import pandas as pd
import pytest
from mlflow.tracking import MlflowClient

from hcf_spark.text.encoder import Encoder
from hcf_spark.text.spec import resolve_encoder
from hcf_spark.tracking.fresh_process import FreshProcessError, ask_in_fresh_process
from hcf_spark.tracking.load_check import Sample, check_load, compare_answer

SAMPLE = Sample(
    {"products": [[], ["p0", "p2"]]}, np.array([[0.5, 0.1, 0.3], [0.2, 0.9, 0.0]], np.float32), ["p0", "p1", "p2"], 2
)
PRODUCTS, SCORES = [["p0", "p2"], ["p1"]], [[0.5, 0.3], [0.9]]


@pytest.fixture(scope="module")
def sample(package, store):
    """A company of training without text, one not seen with text, one of which nothing is known."""
    products, texts = [["p0", "p3"], [], []], [None, "we sell data", None]
    text = np.zeros((3, 16), np.float32)
    text[1] = Encoder(resolve_encoder(store.encoder)).encode(texts[1:2]).vectors
    question = {"company_id": ["c1", "new", "007"], "description": texts, "products": products}
    companies = package.companies(question["company_id"], text, None, products)
    return Sample(question, package.model.score(companies), package.product_ids, package.about.top_k)


def test_a_version_says_in_a_fresh_process_what_the_job_says(register, package, sample):
    version, _ = register("fresh", package)
    check = check_load("fresh", version, sample)
    assert check.problem is None
    assert (check.found["companies"], check.found["scores"]) == (3, 9)
    assert check.found["farthest"] < 1e-5
    other = replace(sample, scores=sample.scores[:, ::-1])
    answer = mlflow.pyfunc.load_model(f"models:/fresh/{version}").predict(pd.DataFrame(sample.question))
    assert "differ from the job's" in compare_answer(answer["product_ids"], answer["scores"], other).problem


def test_a_version_without_its_files_does_not_load(sample):
    MlflowClient().create_registered_model("no files")
    MlflowClient().create_model_version("no files", "file:///nowhere/at/all")
    check = check_load("no files", "1", sample)
    assert check.problem.startswith("it does not load and answer: ")
    assert 'Could not find an "MLmodel"' in check.problem


def test_a_process_that_fails_leaves_its_last_line(tmp_path):
    with pytest.raises(FreshProcessError, match=r"^mlflow\.exceptions\.MlflowException: .*MLmodel"):
        ask_in_fresh_process(tmp_path, {"company_id": ["a"]})


def test_scores_that_are_the_same_agree_in_any_order():
    check = compare_answer([["p2", "p0"], ["p1"]], [[0.3, 0.5], [0.9]], SAMPLE)
    assert check.problem is None
    assert check.found == {"companies": 2, "scores": 3, "farthest": pytest.approx(0, abs=1e-7)}
    used_up = replace(SAMPLE, question={"products": [["p0", "p1", "p2"]] * 2})
    assert compare_answer([[], []], [[], []], used_up).problem is None


def test_a_thousandth_of_the_range_is_the_limit():
    for distance, agrees in ((0.0008, True), (0.001, False)):
        problem = compare_answer(PRODUCTS, [[0.5 + distance, 0.3], [0.9]], SAMPLE).problem
        assert (problem is None) == agrees
    assert problem == (
        "its scores of the sample differ from the job's by up to 0.0011 of their range; "
        "if texts have changed since, run embed_companies and train_model again"
    )


@pytest.mark.parametrize(
    ("products", "scores"),
    [
        (PRODUCTS, [[0.5, np.nan], [0.9]]),
        (PRODUCTS, [[0.5, np.inf], [0.9]]),
        (PRODUCTS, [[0.5, 0.3], []]),
        (PRODUCTS[:1], SCORES[:1]),
        ([[], []], [[], []]),
        ([["p0"], ["p1"]], [[0.5], [0.9]]),
        ([["p0", "who"], ["p1"]], SCORES),
    ],
)
def test_an_answer_that_is_not_whole_fails(products, scores):
    assert compare_answer(products, scores, SAMPLE).problem == (
        "its answer is not finite scores of as many products as asked for, for each company of the sample"
    )
