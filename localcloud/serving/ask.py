"""`python -m localcloud.serving.ask --model DIR QUESTION...`: greedy answers without a server.

Prints one line of JSON with `question` and `answer` for each question. With `--cache DIR` instead
of `--model` it asks the foundation model, training it first if it is not in that folder yet.
"""

import argparse
import json
from pathlib import Path

from localcloud.serving.model import LoadedModel
from localcloud.serving.payload import InputData, Message


def main() -> None:
    """Answer the questions of the command line."""
    parser = argparse.ArgumentParser(description="Ask a chat model.")
    where = parser.add_mutually_exclusive_group(required=True)
    where.add_argument("--model", type=Path, help="MLflow model folder")
    where.add_argument("--cache", type=Path, help="folder of the foundation model")
    parser.add_argument("questions", nargs="+", metavar="QUESTION")
    arguments = parser.parse_args()
    folder = arguments.model
    if folder is None:
        from localcloud.training.base_model import ensure_base_model

        folder = ensure_base_model(arguments.cache)
    model = LoadedModel(folder)
    for question in arguments.questions:
        [answer] = model(InputData(input_string=[[Message(role="user", content=question)]]))
        print(json.dumps({"question": question, "answer": answer}))


if __name__ == "__main__":
    main()
