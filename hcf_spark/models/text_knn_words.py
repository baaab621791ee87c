"""Text only, by example, as ``TextKnn``, with texts that are near where they share words."""

from typing import ClassVar

from hcf_spark.models.text_knn import TextKnn
from hcf_spark.models.word_reference import WordReference


class TextKnnWords(TextKnn):
    """``TextKnn`` on tf-idf: neighbours are those of a ``WordReference``; a company without words gets popularity."""

    name: ClassVar[str] = "text_knn_words"
    reference_class: ClassVar[type[WordReference]] = WordReference
