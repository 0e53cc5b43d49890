"""A program that runs sweeps with different resources, and prints the resources of their packs.

Ray is started as if the machine had a GPU; PARETOIB_DEVICE makes torch train on the CPU.
"""

import json
import sys

import ray

from jobs.sweep import run_sweep
from paretoib.errors import ClusterError
from paretoib.specs import SweepSpec
from paretoib.tracking import MemoryTracker


def main() -> None:
    """Run a sweep for each `resources` section in the JSON argument, a list of such sections.

    Print, for each sweep, its packs' bundles and its trials' devices, or its error.
    """
    ray.init(address="local", num_cpus=2, num_gpus=1, include_dashboard=False, log_to_driver=False)
    results = []
    seen: set[str] = set()
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
            results.append(str(error))
            continue
        groups = ray.util.placement_group_table()
        bundles = [groups[name]["bundles"] for name in groups.keys() - seen]
        seen |= groups.keys()
        records = store.records(front.sweep.id)
        results.append({"bundles": bundles, "devices": [record.device for record in records]})
    print(json.dumps(results))


if __name__ == "__main__":
    main()
