"""The kubeconfig of an existing cluster, as it is handed on."""

import pytest
import yaml

from colony.contexts import kubeconfigs_of
from colony.kubeapi import KubeApi
from components.placement import Placement
from components.spec import ColonySpec
from jobs.errors import InputError


@pytest.fixture
def asked(tmp_path):
    """The kubeconfig that comes of a file with two contexts, the second of them the current one."""
    names = ["lab", "production"]
    content = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "production",
        "clusters": [
            {"name": name, "cluster": {"server": f"https://{name}.example"}} for name in names
        ],
        "users": [{"name": name, "user": {"token": name}} for name in names],
        "contexts": [{"name": name, "context": {"cluster": name, "user": name}} for name in names],
    }
    file = tmp_path / "kubeconfig"
    file.write_text(yaml.safe_dump(content))

    def ask(context):
        cluster = {"name": "main", "cloud": "existing", "context": context}
        spec = ColonySpec.model_validate(
            {"name": "tiny", "clusters": [{**cluster, "kubeconfig": str(file)}]}
        )
        placement = Placement.model_validate(
            {"clusters": [{**cluster, "region": "", "pools": []}], "jobs": {}}
        )
        return kubeconfigs_of(spec, placement)["main"]

    return ask


@pytest.mark.parametrize("context", ["lab", "production"])
def test_whoever_reads_it_reaches_the_cluster_of_the_file_not_the_current_one(asked, context):
    api = KubeApi(asked(context))
    assert api._client.configuration.host == f"https://{context}.example"


def test_a_context_that_is_not_in_it_is_refused_with_those_that_are(asked):
    with pytest.raises(InputError, match="lab, production"):
        asked("labs")
