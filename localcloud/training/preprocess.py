"""From conversations to tokens, with the assistant's answers as what is to be learned."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from localcloud.training.rows import Messages
from localcloud.training.steps import DATA_PREPROCESS, PipelineError

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

IGNORED = -100
"""The label of a token that is not to be learned, as in torch's cross entropy."""

Example = dict[str, list[int]]


@dataclass(frozen=True)
class Tokenised:
    """Rows as `input_ids` and `labels`, and how many had no answer within the length."""

    examples: list[Example]
    too_long: int


def sequence_length(requested: int, longest: int) -> int:
    """Tokens per row: what `max_seq_length` asks for, at most what the model takes."""
    return longest if requested < 1 else min(requested, longest)


def tokenise(
    tokenizer: "PreTrainedTokenizerBase", rows: Sequence[Messages], length: int, batch_size: int
) -> Tokenised:
    """The rows in the model's chat format, cut at `length` tokens.

    Args:
        batch_size: rows that are tokenised at once.

    Raises:
        PipelineError: no row has a token to learn within `length`.
    """
    examples: list[Example] = []
    for begin in range(0, len(rows), batch_size):
        batch = list(rows[begin : begin + batch_size])
        examples += _encode(tokenizer, batch, length)
    learnable = [example for example in examples if any(i != IGNORED for i in example["labels"])]
    if not learnable:
        raise PipelineError(
            DATA_PREPROCESS,
            f"no row has an answer within {length} tokens: raise max_seq_length "
            "or shorten the conversations",
        )
    return Tokenised(learnable, len(examples) - len(learnable))


def _encode(
    tokenizer: "PreTrainedTokenizerBase", rows: list[Messages], length: int
) -> list[Example]:
    encoded: Any = tokenizer.apply_chat_template(
        rows,
        tokenize=True,
        return_dict=True,
        return_assistant_tokens_mask=True,
        truncation=True,
        max_length=length,
    )
    return [
        {
            "input_ids": ids,
            "labels": [i if learned else IGNORED for i, learned in zip(ids, mask, strict=True)],
        }
        for ids, mask in zip(encoded["input_ids"], encoded["assistant_masks"], strict=True)
    ]
