"""Schemas of the tables that this project writes. Input tables may have further columns; these may not."""

from pyspark.sql import types as T

COMPANY_VOCAB = T.StructType(
    [
        T.StructField("company_id", T.StringType(), False),
        T.StructField("company_idx", T.LongType(), False),
        T.StructField("held_out", T.BooleanType(), False),
        T.StructField("alike", T.StringType(), False),
    ]
)
PRODUCT_VOCAB = T.StructType(
    [
        T.StructField("product_id", T.StringType(), False),
        T.StructField("product_idx", T.LongType(), False),
        T.StructField("name", T.StringType()),
        T.StructField("category", T.StringType()),
    ]
)
COMPANY_PRODUCT = T.StructType(
    [
        T.StructField("company_idx", T.LongType(), False),
        T.StructField("product_idx", T.LongType(), False),
        T.StructField("weight", T.DoubleType(), False),
        T.StructField("observed_at", T.TimestampType()),
    ]
)
TEXT_EMBEDDINGS = T.StructType(
    [
        T.StructField("company_id", T.StringType(), False),
        T.StructField("source", T.StringType(), False),
        T.StructField("text_hash", T.StringType(), False),
        T.StructField("encoder_id", T.StringType(), False),
        T.StructField("embedding", T.ArrayType(T.FloatType()), False),
        T.StructField("n_tokens", T.IntegerType(), False),
        T.StructField("n_windows", T.IntegerType(), False),
    ]
)
COMPANY_EMBEDDINGS = T.StructType(
    [
        T.StructField("company_id", T.StringType(), False),
        T.StructField("model_version", T.StringType(), False),
        T.StructField("embedding", T.ArrayType(T.FloatType()), False),
        T.StructField("input_hash", T.LongType(), False),  # of all that the company's rows were made from
    ]
)
PRODUCT_EMBEDDINGS = T.StructType(
    [
        T.StructField("product_id", T.StringType(), False),
        T.StructField("model_version", T.StringType(), False),
        T.StructField("embedding", T.ArrayType(T.FloatType()), False),
    ]
)
REASONS = T.ArrayType(
    T.StructType(
        [
            T.StructField("kind", T.StringType()),
            T.StructField("name", T.StringType()),
            T.StructField("share", T.FloatType()),
        ]
    )
)
COMPANY_SCORES = T.StructType(
    [
        T.StructField("company_id", T.StringType(), False),
        T.StructField("product_id", T.StringType(), False),
        T.StructField("rank", T.IntegerType(), False),
        T.StructField("score", T.FloatType(), False),
        T.StructField("reasons", REASONS),
        T.StructField("why", T.StringType()),  # the reasons as a sentence
        T.StructField("model_version", T.StringType(), False),
        T.StructField("scored_at", T.TimestampType(), False),
    ]
)
PRODUCT_SCORES = COMPANY_SCORES
COMPANY_NEIGHBOURS = T.StructType(
    [
        T.StructField("company_id", T.StringType(), False),
        T.StructField("neighbour_id", T.StringType(), False),
        T.StructField("rank", T.IntegerType(), False),
        T.StructField("similarity", T.FloatType(), False),
        T.StructField("model_version", T.StringType(), False),
    ]
)
COMPANY_COMMUNITIES = T.StructType(
    [
        T.StructField("company_id", T.StringType(), False),
        T.StructField("community", T.IntegerType(), False),
        T.StructField("size", T.LongType(), False),
        T.StructField("model_version", T.StringType(), False),
    ]
)
# Delta knows no NOT NULL inside arrays.
_TERM = (T.StructField("share", T.DoubleType()), T.StructField("lift", T.DoubleType()))
_PRODUCT = T.StructType([T.StructField("product_id", T.StringType()), T.StructField("name", T.StringType()), *_TERM])
_WORD = T.StructType([T.StructField("word", T.StringType()), *_TERM])
_GROUP = T.StructType([T.StructField(name, T.StringType()) for name in ("column", "value")] + [_TERM[0]])
COMMUNITIES = T.StructType(
    [
        T.StructField("community", T.IntegerType(), False),
        T.StructField("size", T.LongType(), False),
        T.StructField("products", T.ArrayType(_PRODUCT), False),
        T.StructField("words", T.ArrayType(_WORD), False),
        T.StructField("groups", T.ArrayType(_GROUP), False),
        T.StructField("model_version", T.StringType(), False),
    ]
)
QUARANTINE = T.StructType(
    [
        T.StructField("source_table", T.StringType(), False),
        T.StructField("key", T.StringType()),
        T.StructField("rule", T.StringType(), False),
        T.StructField("row", T.StringType()),
        T.StructField("run_id", T.StringType(), False),
        T.StructField("at", T.TimestampType(), False),
    ]
)
