import pytest

from hcf_spark.models.reasons import OTHER_PRODUCTS, POPULARITY, PRODUCT, TEXT, Reason
from hcf_spark.models.wording import sentence

CASES = {
    "uses Slack, Jira and Git (+0.60), its description (+0.08), popular (+0.05)": [
        Reason(PRODUCT, "Slack", 0.4), Reason(PRODUCT, "Jira", 0.15), Reason(TEXT, None, 0.08),
        Reason(POPULARITY, None, 0.05), Reason(PRODUCT, "Git", 0.05),
    ],
    "popular (+1.20), other products it uses (+0.30), although it uses Slack (-0.10)": [
        Reason(POPULARITY, None, 1.2), Reason(OTHER_PRODUCTS, None, 0.3), Reason(PRODUCT, "Slack", -0.1),
    ],
    "its description does not fit (-0.50), rarely used (-2.00)": [
        Reason(TEXT, None, -0.5), Reason(POPULARITY, None, -2.00)
    ],
    "other products it uses speak against it (-0.001)": [Reason(OTHER_PRODUCTS, None, -0.00123)],
    "popular (+0.99)": [Reason(POPULARITY, None, 0.99), Reason(PRODUCT, "Slack", 0.001)],
    "": [],
}  # fmt: skip


@pytest.mark.parametrize("expected", CASES)
def test_reasons_in_words(expected):
    assert sentence(CASES[expected]) == expected
