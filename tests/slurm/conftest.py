"""Skip tests that need Slurm or a cluster executor, with a message, if it is missing."""

from importlib.util import find_spec

import cluster
import pytest


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    missing = {
        "slurm": "" if cluster.is_up() else "no Slurm answers here: `make test-slurm` starts one",
        "cluster": ""
        if find_spec("snakemake_executor_plugin_cluster_generic")
        else "its executor is not installed: `make cluster`, or `make test-slurm`",
    }
    for item in items:
        for marker, reason in missing.items():
            if reason and item.get_closest_marker(marker):
                item.add_marker(pytest.mark.skip(reason=reason))
