"""The files that a repository of configs begins with. Pure."""

import json
from pathlib import PurePosixPath
from typing import Annotated

import yaml
from pydantic import BaseModel, Field

from tuneops.api_version import V1
from tuneops.policy import FILE as POLICY_FILE
from tuneops.sources import Repository

FROM = "OWNER/REPOSITORY@COMMIT"
"""Where TuneOps comes from, as long as nobody has said it."""
HERE = "OWNER/NAME"
"""The repository of configs, as long as nobody has said it."""
SETTINGS_FILE = "tuneops.settings.json"
CHECKOUT = "actions/checkout@11bd71901bbe5b1630ceea73d27597364c9af683 # v4.2.2"
WORKFLOW_FILE = ".github/workflows/tuneops-plan.yml"


class Answers(BaseModel):
    """What has to be known; `place` is the workspace as the settings call it, empty if unknown."""

    name: str
    model: str
    data: str
    compute: str
    repository: Repository
    branch: str = "main"
    tuneops: Annotated[str, Field(pattern=r"^[\w.-]+/[\w.-]+@[\w./-]+$")] = FROM
    policy: bool = False
    place: dict[str, str] = {}


def config_path(answers: Answers) -> str:
    """Where the project's config goes."""
    return str(PurePosixPath("finetune", f"{answers.name}.yaml"))


def files(answers: Answers) -> dict[str, str]:
    """The texts by their paths."""
    made = {
        config_path(answers): _config(answers),
        WORKFLOW_FILE: _workflow(answers.tuneops),
        SETTINGS_FILE: _settings(answers),
    }
    return {**made, POLICY_FILE: _POLICY} if answers.policy else made


def _config(answers: Answers) -> str:
    return f"""\
apiVersion: {V1.current}
name: {_scalar(answers.name)}
model:
  name: {_scalar(answers.model)}
data:
  path: {_scalar(answers.data)} # a folder of the container datasets
compute:
  name: {_scalar(answers.compute)}
training:
  parameters: # inputs of chat_completion_pipeline, under their own names
    num_train_epochs: 3
    apply_lora: "true"
evaluation: # a model that is worse is not deployed
  max_regression_percent:
    eval_loss: 5
"""


_POLICY = """\
# What configs may ask for. Give this file an owner of its own in CODEOWNERS.
apiVersion: tuneops/v1
max_nodes: 1
max_epochs: 5
max_instance_count: 2
"""


def _workflow(tuneops: str) -> str:
    repository, _, version = tuneops.partition("@")
    package = f"tuneops[cli] @ git+https://github.com/{repository}@{version}"
    return f"""\
# Checks each pull request, and says on it what merging it would do. The variables are those of the
# repository on GitHub: an identity that is federated with it, and the workspace.
name: Plan

on: pull_request

permissions: {{}}

jobs:
  validate:
    runs-on: ubuntu-latest
    timeout-minutes: 10
    permissions:
      contents: read
    steps:
      - uses: {CHECKOUT}
        with:
          persist-credentials: false
      - uses: {repository}/validate@{version}

  plan:
    permissions:
      contents: read
      id-token: write
      pull-requests: write
    uses: {repository}/.github/workflows/plan.yml@{version}
    with:
      client-id: ${{{{ vars.AZURE_CLIENT_ID }}}}
      tenant-id: ${{{{ vars.AZURE_TENANT_ID }}}}
      subscription-id: ${{{{ vars.AZURE_SUBSCRIPTION_ID }}}}
      resource-group: ${{{{ vars.AZURE_RESOURCE_GROUP }}}}
      workspace: ${{{{ vars.AZUREML_WORKSPACE }}}}
      package: {_scalar(package)}
"""


def _settings(answers: Answers) -> str:
    """Settings of the function app; secrets stay in a key vault, of which it reads them."""
    vault = "@Microsoft.KeyVault(VaultName=<vault>;SecretName={})"
    values = {
        "FUNCTIONS_WORKER_RUNTIME": "python",
        "AzureWebJobsDisableHomepage": "true",
        "AzureWebJobsStorage__blobServiceUri": "https://<account>.blob.core.windows.net",
        "AzureWebJobsStorage__queueServiceUri": "https://<account>.queue.core.windows.net",
        "TUNEOPS_SUBSCRIPTION_ID": answers.place.get("subscription_id", "<subscription id>"),
        "TUNEOPS_RESOURCE_GROUP": answers.place.get("resource_group", "<resource group>"),
        "TUNEOPS_WORKSPACE": answers.place.get("workspace", "<workspace>"),
        "TUNEOPS_GITHUB_REPOSITORY": answers.repository,
        "TUNEOPS_GITHUB_BRANCH": answers.branch,
        "TUNEOPS_CONFIG_FILES": "finetune/**",
        "TUNEOPS_GITHUB_APP_ID": "<id of the GitHub App>",
        "TUNEOPS_GITHUB_APP_PRIVATE_KEY": vault.format("tuneops-github-app-private-key"),
        "TUNEOPS_GITHUB_WEBHOOK_SECRET": vault.format("tuneops-github-webhook-secret"),
    }
    return json.dumps({"IsEncrypted": False, "Values": values}, indent=2) + "\n"


def _scalar(text: str) -> str:
    """The text as YAML has it in one line, in quotes where it would be something else."""
    return str(yaml.safe_dump(text, width=2**31)).removesuffix("...\n").strip()
