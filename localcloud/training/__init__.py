"""The pipeline `chat_completion_pipeline` and the foundation model, on a CPU."""
