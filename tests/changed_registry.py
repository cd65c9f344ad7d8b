"""`python -m tests.changed_registry --state DIR`: the local workspace with another registry.

As after a new version of the component, for a base model that does not say where it trains.
"""

from localcloud.azureml import __main__ as workspace
from localcloud.azureml import registry
from localcloud.training.component import CHAT_COMPLETION_PIPELINE


def main() -> None:
    """Change the component and the model, then serve the workspace."""
    inputs = CHAT_COMPLETION_PIPELINE["inputs"]
    del inputs["apply_ort"], inputs["deepspeed_stage"], inputs["max_seq_length"]
    inputs["learning_rate"]["max"] = 0.001
    inputs["optim"]["enum"] = ["adamw_hf", "adamw_torch"]
    del registry.TAGS["finetune_compute_allow_list"]
    workspace.main()


if __name__ == "__main__":
    main()
