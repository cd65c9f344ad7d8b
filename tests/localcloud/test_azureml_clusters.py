"""Clusters of the workspace: their names, nodes, quota and life, through the SDK."""

import pytest
from azure.ai.ml import MLClient
from azure.ai.ml.entities import AmlCompute
from azure.core.exceptions import HttpResponseError

SIZE = "Standard_DS3_v2"


class TestNames:
    @pytest.mark.parametrize("name", ["ab", "a" * 33, "1cluster", "gpu_cluster", "cluster-", "a.b"])
    def test_refused(self, ml: MLClient, name: str) -> None:
        with pytest.raises(HttpResponseError, match="between 3 and 32 characters") as refusal:
            ml.compute.begin_create_or_update(AmlCompute(name=name, size=SIZE))
        assert refusal.value.status_code == 400
        assert refusal.value.error.code == "UserError"

    @pytest.mark.parametrize("name", ["gpu", "A-1", "a" * 32])
    def test_taken(self, ml: MLClient, name: str) -> None:
        ml.compute.begin_create_or_update(AmlCompute(name=name, size=SIZE))
        found = ml.compute.get(name)
        assert (found.name, found.provisioning_state) == (name, "Creating")
        ml.compute.begin_delete(name)
