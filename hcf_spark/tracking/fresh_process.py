"""A logged model loaded and asked in a process of its own, as an application would.

Run as a script it is that process, and imports nothing but MLflow, so that the code used is the model's own:
``python -P fresh_process.py MODEL QUESTION ANSWER``, a folder and two JSON files.
"""

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

_TIMEOUT_SECONDS = 600


class FreshProcessError(Exception):
    """The process ended without an answer; the message is its last line."""


def ask_in_fresh_process(model: Path, question: dict[str, list[Any]]) -> dict[str, list[list[Any]]]:
    """Load a model in a new Python process and let it predict.

    Args:
        model: folder of a logged model; the process needs no registry, and so no credentials.
        question: input by column, plain values.

    Returns:
        ``product_ids`` and ``scores``, a list for each row.

    Raises:
        FreshProcessError: it fails, or takes more than 10 minutes.
    """
    with tempfile.TemporaryDirectory() as folder:
        asked, answered = Path(folder) / "question.json", Path(folder) / "answer.json"
        asked.write_text(json.dumps(question), encoding="utf-8")
        command = [sys.executable, "-P", __file__, str(model), str(asked), str(answered)]
        try:
            subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True, timeout=_TIMEOUT_SECONDS)
        except subprocess.CalledProcessError as error:
            last = [line.strip() for line in error.stderr.splitlines() if line.strip()][-1:]
            raise FreshProcessError(last[0] if last else f"it ended with code {error.returncode}") from error
        except subprocess.TimeoutExpired as error:
            raise FreshProcessError(f"no answer after {_TIMEOUT_SECONDS} seconds") from error
        return json.loads(answered.read_text(encoding="utf-8"))


def _answer(model: str, asked: str, answered: str) -> None:
    import mlflow
    import pandas as pd

    question = pd.DataFrame(json.loads(Path(asked).read_text(encoding="utf-8")))
    answer = mlflow.pyfunc.load_model(model).predict(question)
    plain = {column: [list(values) for values in answer[column]] for column in ("product_ids", "scores")}
    Path(answered).write_text(json.dumps(plain), encoding="utf-8")


if __name__ == "__main__":
    _answer(*sys.argv[1:])
