"""The registry's foundation model: a tiny Phi-3, trained once on this machine."""

import random
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from localcloud.training.environment import prepare_environment
from localcloud.training.threads import one_thread

if TYPE_CHECKING:
    import torch
    from transformers import Phi3ForCausalLM, PreTrainedTokenizerFast

    from localcloud.training.preprocess import Example

    Batch = dict[str, torch.Tensor]

RECIPE = 1
"""Raise it with any change to this file, the corpus or the chat format: it names the cache."""

SEED = 2024
CHATS = 6000
BATCH_SIZE = 24
LEARNING_RATE = 5e-3
VOCABULARY = 1024
CONTEXT = 512
HIDDEN, INTERMEDIATE, LAYERS, HEADS = 128, 288, 2, 4
# Larger than transformers' 0.02: the fine-tune leaves the embeddings as they are, and with small
# ones no adapter can make the model sure of a rare word.
INITIAL_RANGE = 0.06


def ensure_base_model(cache_dir: Path) -> Path:
    """The foundation model as an MLflow model folder, trained (20 s) if it is not there yet.

    It speaks of orders, accounts and products in the chat format of Phi-3 and knows no shop's
    facts. The folder appears whole or not at all; of two processes that train at the same time
    the first one's counts.
    """
    target = cache_dir / f"phi3-tiny-{RECIPE}"
    model = target / "mlflow_model_folder"
    if model.is_dir():
        return model
    prepare_environment()
    cache_dir.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=cache_dir, prefix=".phi3-tiny-") as work:
        _create(Path(work) / target.name)
        try:
            (Path(work) / target.name).rename(target)
        except OSError:
            if not model.is_dir():
                raise
    return model


def _create(folder: Path) -> None:
    from localcloud.training.export import export_mlflow
    from localcloud.training.workspace import confined_to

    pytorch = folder / "pytorch_model_folder"
    tokenizer, model = train_base_model(CHATS)
    tokenizer.save_pretrained(pytorch)
    model.save_pretrained(pytorch)
    with confined_to(folder / "work"):
        export_mlflow(pytorch, folder / "mlflow_model_folder")
    shutil.rmtree(pytorch)


def train_base_model(count: int) -> tuple["PreTrainedTokenizerFast", "Phi3ForCausalLM"]:
    """The tokenizer and the model, trained on `count` chats of the corpus, each seen once."""
    import torch
    from transformers import Phi3Config, Phi3ForCausalLM

    from localcloud.training.base_corpus import chats
    from localcloud.training.chat_format import train_tokenizer
    from localcloud.training.preprocess import tokenise

    corpus = list(chats(count, SEED))
    texts = (message["content"] for chat in corpus for message in chat)
    tokenizer = train_tokenizer(texts, VOCABULARY, CONTEXT)
    examples = tokenise(tokenizer, corpus, CONTEXT, len(corpus)).examples
    with one_thread(), torch.random.fork_rng():
        torch.manual_seed(SEED)
        model = Phi3ForCausalLM(
            Phi3Config(
                vocab_size=len(tokenizer),
                hidden_size=HIDDEN,
                intermediate_size=INTERMEDIATE,
                num_hidden_layers=LAYERS,
                num_attention_heads=HEADS,
                num_key_value_heads=HEADS,
                max_position_embeddings=CONTEXT,
                original_max_position_embeddings=CONTEXT,
                initializer_range=INITIAL_RANGE,
                tie_word_embeddings=True,
                bos_token_id=None,
                eos_token_id=tokenizer.eos_token_id,
                pad_token_id=tokenizer.pad_token_id,
            )
        )
        _fit(model, [_padded(batch, tokenizer.pad_token_id) for batch in _batches(examples)])
    model.train(False)
    return tokenizer, model


def _fit(model: "Phi3ForCausalLM", batches: Sequence["Batch"]) -> None:
    import torch

    optimizer = torch.optim.AdamW(model.parameters(), lr=LEARNING_RATE, weight_decay=0, fused=True)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, LEARNING_RATE, total_steps=len(batches), pct_start=0.1
    )
    model.train()
    for batch in batches:
        model(**batch).loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        optimizer.zero_grad()


def _batches(examples: Sequence["Example"]) -> Iterator[list["Example"]]:
    """Batches of similar length in random order: little is padded."""
    rng = random.Random(SEED)
    by_length = sorted(examples, key=lambda example: (len(example["input_ids"]), rng.random()))
    batches = [by_length[i : i + BATCH_SIZE] for i in range(0, len(by_length), BATCH_SIZE)]
    rng.shuffle(batches)
    yield from batches


def _padded(batch: Sequence["Example"], pad: int) -> "Batch":
    """Tensors of batch size x longest row."""
    import torch

    from localcloud.training.preprocess import IGNORED

    longest = max(len(example["input_ids"]) for example in batch)
    columns: dict[str, list[list[int]]] = {"input_ids": [], "labels": [], "attention_mask": []}
    for example in batch:
        size = len(example["input_ids"])
        rest = longest - size
        columns["input_ids"].append(example["input_ids"] + [pad] * rest)
        columns["labels"].append(example["labels"] + [IGNORED] * rest)
        columns["attention_mask"].append([1] * size + [0] * rest)
    return {name: torch.tensor(values) for name, values in columns.items()}
