"""The code inside an exported MLflow model: chats in, answers out.

MLflow copies this file into the model folder, so it imports nothing of this project and the model
can be loaded wherever its requirements are installed.
"""

from typing import Any

import mlflow.pyfunc
from mlflow.models import set_model

DEFAULTS = {"do_sample": False, "max_new_tokens": 128}


class ChatModel(mlflow.pyfunc.PythonModel):  # type: ignore[misc, name-defined]
    """Answers conversations with the transformers model among its artifacts."""

    def load_context(self, context: Any) -> None:
        """Load the weights and the tokenizer."""
        import torch
        from transformers import AutoModelForCausalLM, AutoTokenizer

        folder = context.artifacts["model"]
        self._torch: Any = torch
        self._tokenizer: Any = AutoTokenizer.from_pretrained(folder)
        self._model: Any = AutoModelForCausalLM.from_pretrained(folder)

    def predict(
        self, context: Any, model_input: list[dict[str, Any]], params: dict[str, Any] | None = None
    ) -> list[str]:
        """The answers to the conversations, in their order.

        Args:
            model_input: for each conversation `messages`, a list with `role` and `content`, and
                if wanted `parameters`, keyword arguments of transformers' `generate`. Without
                `do_sample` the answer is greedy.

        Raises:
            ValueError: a conversation leaves no room for an answer in the model's context.
        """
        return [
            self._answer(item["messages"], {**DEFAULTS, **item.get("parameters", {})})
            for item in model_input
        ]

    def _answer(self, messages: list[dict[str, str]], parameters: dict[str, Any]) -> str:
        encoded = self._tokenizer.apply_chat_template(
            messages, add_generation_prompt=True, return_tensors="pt", return_dict=True
        )
        asked = encoded["input_ids"].shape[1]
        context = self._model.config.max_position_embeddings
        if asked >= context:
            raise ValueError(
                f"the conversation has {asked} tokens, the model takes fewer than {context}"
            )
        parameters["max_new_tokens"] = min(parameters["max_new_tokens"], context - asked)
        with self._torch.inference_mode():
            generated = self._model.generate(**encoded, **parameters)
        return str(self._tokenizer.decode(generated[0, asked:], skip_special_tokens=True))


set_model(ChatModel())
