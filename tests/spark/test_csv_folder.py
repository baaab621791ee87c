"""CSV files: RFC 4180 as it is written, broken records told apart, and no good row lost."""

import csv
import io
import random

import pytest
from chispa import assert_df_equality
from pyspark.errors import PythonException

from hcf_spark.errors import DataError
from hcf_spark.spark.csv_folder import check_records, parse_records, read_csv

ID_AND_NAME = ("company_id", "name")


def parse(content, width=3):
    """(good records, broken ones as (rule, text)) of a file whose header is "a,b,c"."""
    raw = content if isinstance(content, bytes) else content.encode()
    stream = io.TextIOWrapper(
        io.BytesIO(b"a,b,c\r\n" + raw), encoding="utf-8-sig", errors="surrogateescape", newline=""
    )  # fmt: skip
    good, broken = [], []
    for fields, rule, text in parse_records(stream, width):
        if rule is None:
            good.append(fields)
        else:
            assert fields == [None] * width
            broken.append((rule, text))
    return good, broken


def test_quotes_commas_line_ends_and_empty_fields():
    content = '1,plain,"a, b"\r\n2,"say ""hi""","two\r\nlines"\r\n3,,""\r\n4,"a\nb\rc", x \n5,last,line'
    assert parse(content) == (
        [
            ["1", "plain", "a, b"],
            ["2", 'say "hi"', "two\r\nlines"],
            ["3", None, None],
            ["4", "a\nb\rc", " x "],
            ["5", "last", "line"],
        ],
        [],
    )


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_any_line_end(end):
    assert parse(end.join(["1,x,y", '2,"a' + end + 'b",y', ""])) == ([["1", "x", "y"], ["2", f"a{end}b", "y"]], [])


def test_blank_lines_are_no_records():
    assert parse("\n1,x,y\r\n\r\n\n2,x,y\n\n") == ([["1", "x", "y"], ["2", "x", "y"]], [])


def test_unicode_stays():
    names = ["Zoë & Søn", "株式会社", "🚀 labs", "nul\x00nul", "\ufeffmark", "a\u2028b\x85c\x0bd"]
    content = "".join(f'{index},"{name}",y\n' for index, name in enumerate(names))
    assert parse(content) == ([[str(index), name, "y"] for index, name in enumerate(names)], [])


def test_a_quote_inside_a_field_without_quotes_is_a_character():
    assert parse('1,5" pipe,y\n2,x,y') == ([["1", '5" pipe', "y"], ["2", "x", "y"]], [])


def test_short_and_long_rows_are_broken_and_cost_no_other():
    assert parse("1,x,y\n2,x\n3,x,y,z\n4,x,y\n   \n5,x,y") == (
        [["1", "x", "y"], ["4", "x", "y"], ["5", "x", "y"]],
        [
            ("2 fields where the header has 3", "2,x"),
            ("4 fields where the header has 3", "3,x,y,z"),
            ("1 fields where the header has 3", "   "),
        ],
    )


@pytest.mark.parametrize(
    "rest",
    [
        ["3,x,y", "4,x,y"],  # no other quote: the end of the file
        ["3,x,y", '4,"x",y'],
        ["3,x,y", '4,x,"y, ""z"""'],
        ["3,x,y", "4,x,y", '5,",x",y'],  # closed by a quote that is followed by a comma
        ["3,x,y", '4,"",y'],
    ],
)
@pytest.mark.parametrize("broken", ['2,"open,y', '2,x,"open', '"2,x,y'])
def test_an_open_quote_costs_its_own_line_only(broken, rest):
    content = "\r\n".join(["1,x,y", broken, *rest]) + "\r\n"
    good, bad = parse(content)
    assert good == [[field or None for field in record] for record in csv.reader(["1,x,y", *rest])]
    assert [text for _, text in bad] == [broken]


def test_an_open_quote_at_the_end_is_broken():
    assert parse('1,x,y\n2,x,"open') == ([["1", "x", "y"]], [("not RFC 4180: unexpected end of data", '2,x,"open')])


def test_many_open_quotes_take_no_quadratic_time():
    lines = [f'{row},"open,y' if row % 2 else f"{row},x,y" for row in range(20_000)]
    good, broken = parse("\n".join(lines))
    assert (len(good), len(broken)) == (10_000, 10_000)


def test_an_open_quote_that_a_later_row_closes_swallows_no_row_between_them():
    assert parse('2,"open,y\n3,x,y\n4,x,y\n5,end"\n6,x,y\n') == (
        [["3", "x", "y"], ["4", "x", "y"], ["6", "x", "y"]],
        [
            ("2 fields where the header has 3", '2,"open,y'),
            ("2 fields where the header has 3", '5,end"'),
        ],
    )


def test_text_after_a_closing_quote_is_broken():
    assert parse('1,"x"x,y\n2,x,y') == (
        [["2", "x", "y"]], [("not RFC 4180: ',' expected after '\"'", '1,"x"x,y')],
    )  # fmt: skip


def test_the_lines_of_a_text_do_not_become_records_where_its_own_has_too_many_fields():
    record = '2,x,"one, two\nthree\nfour, five, six\nseven",more'
    assert parse(f"1,x,y\n{record}\n3,x,y") == (
        [["1", "x", "y"], ["3", "x", "y"]], [("4 fields where the header has 3", record)],
    )  # fmt: skip


def test_what_is_not_utf8_is_broken_with_all_its_lines():
    content = b'1,x,y\n2,caf\xe9,"one\ntwo, three, four\nfive"\n3,\xc3\xa9,y\n4,\xed\xa0\x80,y\n'
    assert parse(content) == (
        [["1", "x", "y"], ["3", "é", "y"]],
        [("not UTF-8", '2,caf\\udce9,"one\ntwo, three, four\nfive"'), ("not UTF-8", "4,\\udced\\udca0\\udc80,y")],
    )


def test_a_very_long_field():
    text = "word, " * 50_000
    assert parse(f'1,x,"{text}"\n2,x,y') == ([["1", "x", text], ["2", "x", "y"]], [])


@pytest.mark.parametrize("seed", range(20))
def test_whatever_pythons_writer_writes_is_read_back(seed):
    draw = random.Random(seed)  # noqa: S311 - no secret
    alphabet = ["a", "é", "🚀", ",", '"', "\n", "\r\n", "\r", " ", "\t", ";", "'", "\\", "\x00", ""]
    rows = [["".join(draw.choices(alphabet, k=draw.randrange(12))) for _ in range(3)] for _ in range(200)]
    out = io.StringIO()
    end, quoting = draw.choice([("\r\n", csv.QUOTE_MINIMAL), ("\r\n", csv.QUOTE_ALL), ("\n", csv.QUOTE_ALL)])
    csv.writer(out, lineterminator=end, quoting=quoting).writerows(rows)
    good, broken = parse(out.getvalue())
    assert good == [[field or None for field in row] for row in rows]
    assert broken == []


@pytest.mark.parametrize("seed", range(20))
def test_broken_lines_anywhere_cost_no_good_row(seed):
    draw = random.Random(seed)  # noqa: S311 - no secret
    lines, good_rows, n_broken = [], [], 0
    for row in range(60):
        if draw.random() < 0.3:
            lines.append(draw.choice([f'{row},"open,y', f"{row},short", f"{row},a,b,c", f'{row},"a"b,y']))
            n_broken += 1
        else:
            lines.append(draw.choice([f"{row},x,y", f'{row},"x","y"', f'{row},x,"y ""z"""']))
            good_rows.append(row)
    good, broken = parse("\n".join(lines))
    assert [int(record[0]) for record in good] == good_rows
    assert len(broken) == n_broken


@pytest.fixture
def write(tmp_path):
    """Write companies.csv and return its path."""

    def write(content):
        file = tmp_path / "companies.csv"
        file.write_bytes(content if isinstance(content, bytes) else content.encode())
        return file

    return write


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "{file} is empty: its first line must name the columns (company_id, name, ...)"),
        ("\n1,x\n", "{file} is empty: its first line must name the columns (company_id, name, ...)"),
        ("company_id,text\n1,x\n", "{file} lacks the column name; found company_id, text"),
        ("text\n1,x\n", "{file} lacks the column company_id, name; found text"),
        (
            "company_id,name,Name\n1,x,y\n",
            "{file}: column names must be given and differ (without regard to case); found ['Name', 'name']",
        ),
        (
            "company_id,name,\n1,x,y\n",
            "{file}: column names must be given and differ (without regard to case); found ['']",
        ),
        (
            b"company_id,name,caf\xe9\n",
            "{file}: the header cannot be read (not UTF-8); it must be UTF-8 CSV (RFC 4180)",
        ),
        (
            "company_id,name\n1,x\n".encode("utf-16"),
            "{file}: the header cannot be read (not UTF-8); it must be UTF-8 CSV (RFC 4180)",
        ),
        (
            'company_id,"name\n1,x\n',
            "{file}: the header cannot be read (unexpected end of data); it must be UTF-8 CSV (RFC 4180)",
        ),
    ],
)
def test_a_wrong_header_is_told_before_anything_runs(write, content, message):
    file = write(content)
    with pytest.raises(DataError) as caught:
        read_csv(None, file, ID_AND_NAME)
    assert str(caught.value) == message.format(file=file)


def test_a_missing_file_is_told(tmp_path):
    with pytest.raises(DataError) as caught:
        read_csv(None, tmp_path / "companies.csv", ID_AND_NAME)
    assert str(caught.value) == (
        f"{tmp_path}/companies.csv not found: the folder must hold companies.csv, products.csv and usage.csv"
    )


@pytest.mark.spark
def test_good_and_broken_records_of_a_file(spark, write):
    content = '\ufeffcompany_id,name,Company size,a.b\r\n1,"Zoë, Inc","two\r\nlines",\r\n2,"open,x,y\r\n3,Ünique,,z\r\n'
    checked = check_records(read_csv(spark, write(content.encode()), ID_AND_NAME))
    good = [("1", "Zoë, Inc", "two\r\nlines", None), ("3", "Ünique", None, "z")]
    types = "company_id string, name string, `Company size` string, `a.b` string"
    assert_df_equality(checked.good, spark.createDataFrame(good, types))
    bad = spark.createDataFrame(
        [(None, "not RFC 4180: unexpected end of data", '2,"open,x,y')], "key string, rule string, row string"
    )
    assert_df_equality(checked.bad, bad)
    assert checked.rows.count() == 3


@pytest.mark.spark
def test_a_byte_that_is_not_utf8_costs_its_row_only(spark, write):
    checked = check_records(read_csv(spark, write(b"company_id,name\n1,caf\xe9\n2,x\n"), ID_AND_NAME))
    assert checked.good.collect() == [("2", "x")]
    assert [(row.rule, row.row) for row in checked.bad.collect()] == [("not UTF-8", "1,caf\\udce9")]


@pytest.mark.spark
def test_more_rows_than_a_batch_and_a_long_text_arrive_whole(spark, write):
    text = "long text " * 30_000
    content = "company_id,name\n" + "".join(f"{row},name {row}\n" for row in range(4_500)) + f'4500,"{text}"\n'
    frame = check_records(read_csv(spark, write(content), ID_AND_NAME)).good
    row = frame.selectExpr("count(*)", "sum(cast(company_id as long))", "max(length(name))").head()
    assert tuple(row) == (4_501, 4_500 * 4_501 // 2, 300_000)


@pytest.mark.spark
def test_a_file_with_a_header_only_has_no_rows(spark, write):
    frame = read_csv(spark, write("company_id,name\n"), ID_AND_NAME)
    assert check_records(frame).good.collect() == []


@pytest.mark.spark
def test_a_file_that_is_gone_when_it_is_read_fails(spark, write):
    file = write("company_id,name\n1,x\n")
    frame = read_csv(spark, file, ID_AND_NAME)
    file.unlink()
    with pytest.raises(PythonException, match="No such file or directory"):
        frame.collect()
