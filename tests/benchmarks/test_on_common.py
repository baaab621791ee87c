import pandas as pd

from benchmarks.communities import on_common


def test_methods_that_know_different_companies_are_judged_on_those_that_all_know():
    methods = {
        "text": pd.Series([0, 1, 1], list("cab")),
        "all": pd.Series([0, 0, 1, 1], list("abcd")),
        "usage": pd.Series([2, 3], list("bc")),
    }
    judged, count = on_common(methods)
    assert count == 2
    assert {name: labels.sort_index().to_dict() for name, labels in judged.items()} == {
        "text": {"b": 1, "c": 0}, "all": {"b": 0, "c": 1}, "usage": {"b": 2, "c": 3},
    }  # fmt: skip
