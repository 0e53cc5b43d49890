"""Sweeps on a Ray that says it has a GPU, each with other resources; what they were placed with.

Torch is told to work on the CPU, as the GPU is Ray's word alone.
"""

import json
import sys

import ray

from jobs.sweep import run_sweep
from paretoib.errors import ClusterError
from paretoib.specs import SweepSpec
from paretoib.tracking import MemoryTracker


def main() -> None:
    """Print, for each of the resources that are given as JSON, what became of them."""
    ray.init(address="local", num_cpus=2, num_gpus=1, include_dashboard=False, log_to_driver=False)
    said = []
    known: set[str] = set()
    for resources in json.loads(sys.argv[1]):
        spec = SweepSpec.from_document(
            {
                "method": "vib",
                "model": {"name": "mlp", "hidden": [8], "latent": 2},
                "training": {"epochs": 1},
                "grid": {"beta": [0.1, 0.01]},
                "resources": resources,
            }
        )
        store = MemoryTracker()
        try:
            front = run_sweep(spec, store=lambda store=store: store)
        except ClusterError as error:
            said.append(str(error))
            continue
        groups = ray.util.placement_group_table()
        bundles = [groups[name]["bundles"] for name in groups.keys() - known]
        known |= groups.keys()
        records = store.records(front.sweep.id)
        said.append({"bundles": bundles, "devices": [record.device for record in records]})
    print(json.dumps(said))


if __name__ == "__main__":
    main()
