"""A β grid of VIB trials on digits with plain Ray Tune, without paretoib, for comparison.

The program follows the manuals of Ray Tune and MLflow: one eager PyTorch trial per process on one
CPU core, Tune's function API, and Ray's `MLflowLoggerCallback` on an SQLite store. Features that
cost time and are not needed are off (Tune's log files and tables, the dashboard, usage statistics).
The data set is sent once, through Ray's object store. Losses are in nats, times in seconds.

    python benchmarks/stock.py --trials 64 --epochs 50 --store DIR --json
"""

import argparse
import json
import os
import secrets
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch

TIMES = ("import_s", "compute_s", "report_s")  # measured in the process of each trial
ENVIRONMENT = {
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",
    "RAY_AIR_NEW_OUTPUT": "0",  # the new output prints a table even at verbosity 0
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",  # keeps Ray on loopback
    "MLFLOW_DISABLE_TELEMETRY": "true",
}


def load_splits() -> dict[str, tuple[Any, Any]]:
    """Digits in [0, 1], stratified 60 / 20 / 20 %: `train` ([1078, 64], [1078]), `val`, `test`."""
    from sklearn.datasets import load_digits
    from sklearn.model_selection import train_test_split

    x, y = load_digits(return_X_y=True)
    x = (x / 16).astype("float32")
    x_train, x, y_train, y = train_test_split(x, y, train_size=0.6, stratify=y, random_state=0)
    x_val, x_test, y_val, y_test = train_test_split(x, y, test_size=0.5, stratify=y, random_state=0)
    return {"train": (x_train, y_train), "val": (x_val, y_val), "test": (x_test, y_test)}


def train_vib(config: dict[str, Any], splits: dict[str, tuple[Any, Any]]) -> None:
    """Train one VIB (Alemi et al. 2017): cross-entropy + β · KL(p(z|x) ‖ N(0, I)), in nats.

    The function reports losses and validation accuracy after each epoch. The last report adds test
    metrics, and the seconds that this process spent on imports, on computing and in `tune.report`.
    """
    began = time.perf_counter()
    import torch  # imported here, because the driver process does not need it
    from ray import tune
    from torch import nn
    from torch.nn import functional as F

    imported, waited = time.perf_counter(), 0.0
    torch.set_num_threads(1)
    torch.manual_seed(0)
    data = {name: (torch.tensor(x), torch.tensor(y)) for name, (x, y) in splits.items()}
    x_train, y_train = data["train"]
    hidden = nn.Linear(64, 128), nn.ReLU(), nn.Linear(128, 128), nn.ReLU()
    encoder, decoder = nn.Sequential(*hidden, nn.Linear(128, 2 * 32)), nn.Linear(32, 10)
    optimiser = torch.optim.Adam([*encoder.parameters(), *decoder.parameters()], lr=1e-3)

    def forward(x: "torch.Tensor") -> tuple["torch.Tensor", "torch.Tensor"]:
        """Logits [n, 10] of one reparameterised sample, and the mean KL in nats."""
        mean, raw = encoder(x).chunk(2, dim=-1)
        std = F.softplus(raw - 5)
        kl = (0.5 * (mean.square() + std.square() - 1) - std.log()).sum(-1).mean()
        return decoder(mean + std * torch.randn_like(std)), kl

    @torch.no_grad()
    def evaluate(x: "torch.Tensor", y: "torch.Tensor") -> dict[str, float]:
        logits, kl = forward(x)
        accuracy = (logits.argmax(-1) == y).float().mean().item()
        return {"ce": F.cross_entropy(logits, y).item(), "accuracy": accuracy, "kl": kl.item()}

    for epoch in range(config["epochs"]):
        sums = torch.zeros(2)
        for rows in torch.randperm(len(x_train)).split(128):
            logits, kl = forward(x_train[rows])
            ce = F.cross_entropy(logits, y_train[rows])
            optimiser.zero_grad()
            (ce + config["beta"] * kl).backward()
            optimiser.step()
            sums += len(rows) * torch.stack([ce.detach(), kl.detach()])
        metrics = dict(zip(("train_ce", "train_kl"), (sums / len(x_train)).tolist(), strict=True))
        metrics["val_accuracy"] = evaluate(*data["val"])["accuracy"]
        if epoch + 1 == config["epochs"]:
            metrics |= {f"test_{k}": value for k, value in evaluate(*data["test"]).items()}
            computed = time.perf_counter() - imported - waited
            metrics |= zip(TIMES, (imported - began, computed, waited), strict=True)
        waited -= time.perf_counter()
        tune.report(metrics)
        waited += time.perf_counter()


def run(trials: int, epochs: int, store: Path) -> dict[str, float]:
    """Run a grid of β from 1e-5 to 1, with MLflow's database and files in the folder `store`.

    `seconds` in the result is the time from the start of Ray's import to the end of `fit`.

    Raises:
        RuntimeError: a trial failed or is missing in MLflow.
    """
    store.mkdir(parents=True, exist_ok=True)
    os.environ |= ENVIRONMENT | {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": secrets.token_hex(32)}
    start = time.perf_counter()
    import ray
    from mlflow import MlflowClient
    from ray import tune
    from ray.air.integrations.mlflow import MLflowLoggerCallback

    imported = time.perf_counter()
    ray.init("local", include_dashboard=False, log_to_driver=False)
    ready = time.perf_counter()
    client = MlflowClient(uri := f"sqlite:///{store / 'mlflow.db'}")
    experiment = client.create_experiment("stock", artifact_location=(store / "files").as_uri())
    stored = time.perf_counter()
    betas = [10 ** (-5 + 5 * i / max(trials - 1, 1)) for i in range(trials)]
    trainable = tune.with_parameters(train_vib, splits=load_splits())
    callbacks: list[tune.Callback] = [MLflowLoggerCallback(uri, experiment_name="stock")]
    results = tune.Tuner(
        tune.with_resources(trainable, {"cpu": 1}),
        param_space={"beta": tune.grid_search(betas), "epochs": epochs},
        run_config=tune.RunConfig(storage_path=str(store), verbose=0, callbacks=callbacks),
    ).fit()
    end = time.perf_counter()
    ray.shutdown()
    logged = client.search_runs([experiment], "attributes.status = 'FINISHED'", max_results=10_000)
    finished = [r.data.metrics for r in logged if "test_ce" in r.data.metrics]
    if results.num_errors or len(finished) != trials:
        raise RuntimeError(f"all {trials} trials should finish; found {len(finished)} in MLflow")
    return {
        "trials": trials, "epochs": epochs,
        "seconds": end - start, "trials_per_minute": 60 * trials / (end - start),
        "import_seconds": imported - start, "ray_start_seconds": ready - imported,
        "store_seconds": stored - ready, "fit_seconds": end - stored,
        "best_test_accuracy": max(m["test_accuracy"] for m in finished),
    } | {f"mean_{k}": sum(m[k] for m in finished) / trials for k in TIMES}  # fmt: skip


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Run a β grid on digits with plain Ray Tune.")
    parser.add_argument("--trials", type=int, default=64)
    parser.add_argument("--epochs", type=int, default=50)
    parser.add_argument("--store", type=Path, help="an empty folder; default: a temporary one")
    parser.add_argument("--json", action="store_true", help="print the JSON on one line")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        figures = run(args.trials, args.epochs, (args.store or Path(temporary)).resolve())
    print(json.dumps(figures, indent=None if args.json else 2))
