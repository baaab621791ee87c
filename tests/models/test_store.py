import os

import numpy as np
import pytest

from hcf_spark.errors import RegistryError
from hcf_spark.models.popularity import Popularity
from hcf_spark.models.registry import model_class
from hcf_spark.models.store import load_model, save_model


def test_a_save_that_is_cut_off_leaves_the_model_of_before(tmp_path, monkeypatch):
    save_model(Popularity(np.array([0.5, 0.25], np.float32)), tmp_path)

    def killed(source, target):
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "replace", killed)
    with pytest.raises(KeyboardInterrupt):
        save_model(Popularity(np.array([1.0, 1.0], np.float32)), tmp_path)
    assert load_model(tmp_path).shares.tolist() == [0.5, 0.25]


def test_arrays_in_any_memory_order_are_saved_as_they_look(tmp_path):
    every_other = np.arange(6, dtype=np.float32)[::2]
    save_model(Popularity(every_other), tmp_path)
    assert load_model(tmp_path).shares.tolist() == [0.0, 2.0, 4.0]


def test_saving_makes_the_folder_and_nothing_else_in_it(tmp_path):
    file = save_model(Popularity(np.ones(2, np.float32)), tmp_path / "a" / "b")
    assert os.listdir(tmp_path / "a" / "b") == [file.name]


def test_loading_from_an_empty_folder_names_the_file(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"model\.safetensors"):
        load_model(tmp_path)


@pytest.mark.parametrize("name", ["popularity", "ae", "ease", "dcf", "hcf", "ease+ae"])
def test_names_lead_to_their_classes(name):
    found = model_class(name)
    assert "+" in name or found.name == name


def test_a_model_of_another_version_says_so():
    with pytest.raises(RegistryError) as caught:
        model_class("rule_of_thumb")
    assert str(caught.value) == (
        "this version of hcf_spark has no model 'rule_of_thumb': it was saved by another one; load it with that, or "
        "train_model again"
    )
