import pytest

from hcf_spark.text.masking import NameMask


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("Slack and slack.", "product and product."),
        ("Slackers use a slacker", "Slackers use a slacker"),
        ("salesforce MARKETING\n cloud, Salesforce", "product, product"),
        ("Marketing Cloud of Salesforce", "Marketing Cloud of product"),
        ("Node.js, C++ or node js", "product, product or node js"),
        ("Écran plat, écran", "product plat, product"),
        ("", ""),
        ("  no names \n here ", "  no names \n here "),
    ],
)
def test_whole_names_are_replaced_whatever_their_case_the_longest_first(text, masked):
    names = ["Slack", "Salesforce", "Salesforce Marketing Cloud", "Node.js", "C++", "écran", " ", ""]
    assert NameMask(names).apply(text) == masked


def test_ten_thousand_names_cost_no_more_than_one_pass():
    names = [f"name {number} suite" for number in range(10_000)]
    text = " ".join(["plain words"] * 5_000 + ["name 9999 suite"])
    assert NameMask(names).apply(text) == " ".join(["plain words"] * 5_000 + ["product"])
