"""What each dependency is for. One that is here comes by itself; the others come with these."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Purpose:
    """What a dependency is for, and which module of it ours import; none: it is found by name."""

    what: str
    module: str = ""


PURPOSES = {
    "apprise": Purpose("messages to services that no channel of ours knows", "apprise"),
    "azure-ai-ml": Purpose("jobs, models, endpoints and data of the workspace", "azure.ai.ml"),
    "azure-eventgrid": Purpose("messages as events", "azure.eventgrid"),
    "azure-functions": Purpose("the triggers", "azure.functions"),
    "azure-identity": Purpose("the app's identity", "azure.identity"),
    "azure-monitor-opentelemetry-exporter": Purpose(
        "telemetry to Application Insights", "azure.monitor.opentelemetry.exporter"
    ),
    "azure-storage-blob": Purpose("the state, and training data", "azure.storage.blob"),
    "azure-storage-queue": Purpose("the queues", "azure.storage.queue"),
    "azureml-mlflow": Purpose("lets mlflow ask a workspace for metrics"),
    "backports-zstd": Purpose("data that is compressed with zstd", "backports"),
    "cryptography": Purpose("the GitHub App's key", "cryptography"),
    "datasets": Purpose("data of the Hugging Face hub", "datasets"),
    "gidgethub": Purpose("GitHub's API and its webhooks", "gidgethub"),
    "google-re2": Purpose("patterns of users, in time that is bounded", "re2"),
    "httpx2": Purpose("HTTP to GitHub, to receivers and to Azure", "httpx2"),
    "jinja2": Purpose("the page, letters and reports", "jinja2"),
    "mlflow-skinny": Purpose("metrics of the training", "mlflow"),
    "opentelemetry-api": Purpose("spans and counts, where the work is done", "opentelemetry"),
    "opentelemetry-exporter-otlp-proto-http": Purpose(
        "telemetry to any collector", "opentelemetry.exporter.otlp.proto.http"
    ),
    "opentelemetry-instrumentation-httpx": Purpose(
        "spans of calls to GitHub and receivers", "opentelemetry.instrumentation.httpx"
    ),
    "opentelemetry-instrumentation-logging": Purpose(
        "log lines as telemetry", "opentelemetry.instrumentation.logging"
    ),
    "opentelemetry-instrumentation-requests": Purpose(
        "spans of calls of endpoints", "opentelemetry.instrumentation.requests"
    ),
    "opentelemetry-sdk": Purpose("spans and counts on their way out", "opentelemetry.sdk"),
    "orjson": Purpose("JSON of training data", "orjson"),
    "pillow": Purpose("charts as pictures, for letters", "PIL"),
    "pyarrow": Purpose("training data as Parquet", "pyarrow"),
    "pydantic": Purpose("all that is read is checked", "pydantic"),
    "pydantic-settings": Purpose("the app's settings", "pydantic_settings"),
    "pyyaml": Purpose("configs and the policy", "yaml"),
    "rapidfuzz": Purpose("how alike two answers are", "rapidfuzz"),
    "requests": Purpose("calls of the endpoint", "requests"),
    "tzdata": Purpose("time zones, where the system has none"),
    "xxhash": Purpose("which part a row belongs to, and which rows are equal", "xxhash"),
}
