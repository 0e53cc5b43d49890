"""The values that the papers give for their tables and figures, read from the papers' own text.

Fields are named as in `paretoib.presets.by_field`; `seeds` stands for the number of trials.
"""

from typing import Any

Values = dict[str, Any]

# mib section 4.1 and appendix C: ResNet-18, K = 128, Adam, learning rate 1e-3, batches of 128, one
# of five subsets of the training data, β = 1e-4; N(0, I) as prior (below eq. 5); "the average
# results of three random trials" (tables 1 and 2).
_MIB: Values = {
    "model": "resnet18",
    "model.latent": 128,
    "data.subset": 1 / 5,
    "training.optimiser": "adam",
    "training.learning_rate": 1e-3,
    "training.batch_size": 128,
    "objective.prior_width": 1,
    "weighting.beta": 1e-4,
    "seeds": 3,
}
_FASHION = {"data": "fashion_mnist", "training.epochs": 40}
_CIFAR = {"data": "cifar10", "training.epochs": 150}

# vim section 4.1: 784–1024–1024–2K with ReLU, a logistic regression as decoder, K = 256 (table 1),
# Adam with learning rate 1e-4. The "same (network) hyper-parameters" as Alemi et al. 2017: β₁ =
# 0.5, batches of 100, 200 epochs, × 0.97 every 2 epochs, averages with 0.999, inputs 2x − 1.
_VIM_MNIST: Values = {
    "data": "mnist",
    "model": "mlp",
    "model.hidden": [1024, 1024],
    "model.activation": "relu",
    "model.decoder": [],
    "model.centred": True,
    "training.optimiser": "adam",
    "training.learning_rate": 1e-4,
    "training.adam_beta1": 0.5,
    "training.batch_size": 100,
    "training.epochs": 200,
    "training.schedule": "step",
    "training.decay": 0.97,
    "training.patience": 2,
    "training.weight_average": 0.999,
}
# vim section 4.2 and table 4: convolutions with 128, 256, 512 and 1024 filters, 2K outputs with
# K = 64, a logistic decoder; Adam from 1e-3, "decreasing after 30 epochs by a factor of 2".
_VIM_CIFAR: Values = {
    "data": "cifar10",
    "model": "cnn",
    "model.channels": [128, 256, 512, 1024],
    "model.latent": 64,
    "model.decoder": [],
    "training.optimiser": "adam",
    "training.learning_rate": 1e-3,
    "training.schedule": "step",
    "training.decay": 1 / 2,
    "training.patience": 30,
}

# imb section 5.3: widths 10-8-6-4, SGD, 20 000 epochs, 80 % of the data, β = 1e-4, five networks.
_IMB_DYNAMICS: Values = {
    "data": "binary12",
    "data.train_share": 0.8,
    "model": "sigmoid",
    "model.hidden": [10, 8, 6],
    "model.latent": 4,
    "model.decoder": [],
    "training.optimiser": "sgd",
    "training.epochs": 20_000,
    "weighting.beta": 1e-4,
    "seeds": 5,
}

# uib section 7: Adam with learning rate 1e-4, × 0.8 "whenever it plateaus for more than 3
# episodes".
_UIB: Values = {
    "training.optimiser": "adam",
    "training.learning_rate": 1e-4,
    "training.schedule": "plateau",
    "training.decay": 0.8,
    "training.patience": 3,
}
# uib section 7.3: ResNet-18, K = 100, zero-entropy noise, a K × 10 linear decoder.
_UIB_SURROGATES: Values = {
    **_UIB,
    "data": "cifar10",
    "model": "resnet18",
    "model.latent": 100,
    "model.decoder": [],
    "objective.zero_entropy_noise": True,
}

# mtvib section 5: K = 256, β = 1e-3, Adam with learning rate 1e-4, 200 epochs, batches of 200.
_MTVIB: Values = {
    "training.optimiser": "adam",
    "training.learning_rate": 1e-4,
    "training.batch_size": 200,
    "training.epochs": 200,
    "weighting.beta": 1e-3,
}
# mtvib tables 1 and 2, (a) and (b): batch norm and ReLU after 384 and after 192 units.
_SMALL_ALEXNET: Values = {
    "model": "small_alexnet",
    "model.hidden": [],
    "model.latent": 384,
    "model.decoder": [192],
    "model.activated": True,
    "model.decoder_batch_norm": True,
}
# mtvib tables 1 and 2, (c) and (d): 1024, 1024, 1024, K = 256, and decoders of 384 and 192.
_VARIATIONAL: Values = {
    "model": "mtvib_cnn",
    "model.hidden": [1024, 1024, 1024],
    "model.latent": 256,
    "model.decoder": [384, 192],
    "model.decoder_batch_norm": True,
}
_MTVIB_METHODS: dict[str, Values] = {
    "mtvib": _VARIATIONAL,
    "stvib": _VARIATIONAL,
    "stl": _SMALL_ALEXNET,
    "uwl": _SMALL_ALEXNET,
    "gs": _SMALL_ALEXNET,
}

SHARED: dict[str, Values] = {
    "mib-table1": {**_MIB, **_FASHION},
    "mib-table2": {**_MIB, **_CIFAR},
    "mib-table3": {**_MIB, **_FASHION, "weighting.beta": 0.01},  # the captions of tables 3 and 4
    "mib-table4": {**_MIB, **_CIFAR, "weighting.beta": 0.01},
    "mib-fig5": {**_MIB, **_FASHION},  # section 4.3: all analyses are on Fashion-MNIST
    "vim-table1": {**_VIM_MNIST, "model.latent": 256, "objective.prior_width": 1},
    "vim-fig2": {**_VIM_MNIST, "model.latent": 2},
    "vim-fig3": {**_VIM_CIFAR, "objective.prior_width": [0.5, 2.5]},
    "vim-fig4a": _VIM_CIFAR,
    "vim-fig4b": {**_VIM_CIFAR, "weighting.beta": 1},
    # Section 5.1 and appendix D: two hidden layers of 512 sigmoid units, M = 32, five
    # initialisations; β = 1e-4 was best for both IMB methods.
    "imb-table1": {
        "model": "sigmoid",
        "model.hidden": [512],
        "model.latent": 512,
        "model.decoder": [],
        "objective.draws": 32,
        "weighting.beta": 1e-4,
        "seeds": 5,
    },
    "imb-fig1": _IMB_DYNAMICS,
    "imb-fig2": _IMB_DYNAMICS,
    "uib-fig1": _UIB_SURROGATES,
    "uib-fig5": _UIB_SURROGATES,
    "uib-fig6": _UIB_SURROGATES,
    # Section 7.1: C = 100, a decoder of C–1024–1024–10, no compression loss, three losses in turn,
    # eight trials (figure 3).
    "uib-fig3": {
        **_UIB,
        "model.latent": 100,
        "model.decoder": [1024, 1024],
        "objective.loss": ["uncertainty", "decoder", "prediction"],
        "weighting.beta": 0,
        "seeds": 8,
    },
    # Section 7.2: PyTorch's MNIST example, whose last dropout is 0.5, with K = 128, a linear
    # decoder and no compression loss.
    "uib-fig4": {
        **_UIB,
        "data": "mnist",
        "model": "dropout_cnn",
        "model.dropout": 0.5,
        "model.latent": 128,
        "model.decoder": [],
        "weighting.beta": 0,
    },
    "mtvib-fig5": {**_MTVIB, "model.kernel": 3, "model.stride": 1},
    "mtvib-fig6": {
        **_MTVIB,
        "data": "mtfl",
        "data.side": 150,
        "model.kernel": 5,
        "model.stride": 2,
    },
}

DATA: dict[tuple[str, str], Values] = {
    ("imb-table1", "mnist"): {"data": "mnist", "training.optimiser": "adadelta"},
    ("imb-table1", "cifar10"): {"data": "cifar10", "training.optimiser": "adagrad"},
    ("uib-fig3", "permutation_mnist"): {
        "data": "permutation_mnist",
        "model": "mlp",
        "model.hidden": [1024, 1024],
        "model.activation": "relu",
    },
    ("uib-fig3", "cifar10"): {"data": "cifar10", "model": "resnet18"},
    ("mtvib-fig5", "multi_mnist"): {"data": "multi_mnist"},
    ("mtvib-fig5", "multi_fashion"): {"data": "multi_fashion"},
}

METHODS: dict[tuple[str, str], Values] = {
    # μ is "typically fixed at 0.2" (below eq. 13).
    ("mib-table1", "mib"): {"weighting.mu": 0.2},
    ("mib-table2", "mib"): {"weighting.mu": 0.2},
    ("mib-fig5", "mib"): {"weighting.mu": 0.2},
    ("mib-fig5", "mib_no_adaptive"): {"weighting.mu": 0.2},
    ("vim-fig4a", "vib"): {"objective.prior_width": 0.5},
    ("vim-fig4a", "vim"): {"objective.prior_width": 2.5},
    # Appendix D: VIB has "the entire deterministic network as an encoder", and Adam.
    ("imb-table1", "vib"): {
        "model": "mlp",
        "model.hidden": [512, 512],
        "model.activation": "sigmoid",
        "training.optimiser": "adam",
    },
    **{
        (preset, method): values
        for preset in ("mtvib-fig5", "mtvib-fig6")
        for method, values in _MTVIB_METHODS.items()
    },
}

ROWS: dict[tuple[str, str, str, str], Values] = {
    ("vim-table1", "vib", "mnist", "VIB (β = 1e-3)"): {"weighting.beta": 1e-3},
    ("vim-table1", "vib", "mnist", "VIB (β = 1e-4), in tables 2 and 3"): {"weighting.beta": 1e-4},
    # Appendix D: 1e-3 was best on MNIST, 1e-4 on CIFAR-10.
    ("imb-table1", "vib", "mnist", "VIB"): {"weighting.beta": 1e-3},
    ("imb-table1", "vib", "cifar10", "VIB"): {"weighting.beta": 1e-4},
    # Appendix D: β is chosen among 10^-1 … 10^-10.
    **{
        ("imb-table1", method, data, f"{label}, choice of β"): {
            "weighting.beta": [float(f"1e-{i}") for i in range(10, 0, -1)]
        }
        for method, label in (("imb_joint", "JointIMB"), ("imb_greedy", "GreedyIMB"))
        for data in ("mnist", "cifar10")
    },
    # Appendix A.3: the loss is the decoder cross-entropy under the optimal decoder.
    **{
        ("uib-fig3", "categorical", data, "H[Y|Z], appendix A.3"): {"objective.loss": "decoder"}
        for data in ("permutation_mnist", "cifar10")
    },
    ("uib-fig4", "l2", "mnist", "zero-entropy noise"): {"objective.zero_entropy_noise": True},
    ("uib-fig4", "l2", "mnist", "no noise"): {"objective.zero_entropy_noise": False},
    **{
        (preset, method, data, f"{method.upper()}, {task}"): {"data.task": task}
        for preset, data, tasks in (
            ("mtvib-fig5", "multi_mnist", ("left", "right")),
            ("mtvib-fig5", "multi_fashion", ("left", "right")),
            ("mtvib-fig6", "mtfl", ("gender", "smile", "glasses", "pose")),
        )
        for method in ("stl", "stvib")
        for task in tasks
    },
}

# The methods of each table or figure, by the paper's labels where they are in its text.
ROW_LABELS: dict[str, dict[str, str]] = {
    "mib-table1": {
        "deterministic": "RES18",
        "vib": "VIB",
        "nib": "NIB",
        "vib_squared": "VIB-squared",
        "nib_squared": "NIB-squared",
        "mib": "MIB",
    },
    "mib-table3": {
        "vib": "VIB",
        "nib": "NIB",
        "vib_squared": "VIB-squared",
        "nib_squared": "NIB-squared",
    },
    "mib-fig5": {
        "vib": "VIB",
        "vib_adaptive": "VIB w. aw",
        "mib_no_adaptive": "MIB w.o. aw",
        "mib_no_smooth": "MIB w.o. s.",
        "mib": "MIB",
    },
    "imb-table1": {
        "det": "DET",
        "vib": "VIB",
        "sfnn": "SFNN",
        "imb_greedy": "GreedyIMB",
        "imb_joint": "JointIMB",
    },
    "mtvib-fig5": {
        "mtvib": "MTVIB",
        "stvib": "STVIB, left",
        "stl": "STL, left",
        "uwl": "UWL",
        "gs": "GS",
    },
}
ROW_LABELS["mib-table2"] = ROW_LABELS["mib-table1"]
ROW_LABELS["mib-table4"] = ROW_LABELS["mib-table3"]

# Values of the papers among the values of a varied field, some of which are ours.
AMONG: dict[tuple[str, str, str], list[Any]] = {
    ("vim-table1", "vim", "weighting.beta"): [1e-3],  # table 1
    ("vim-fig3", "vib", "weighting.beta"): [1e-3, 100],  # section 4.2: β = 1e-3, β = 10²
    ("vim-fig3", "vim", "weighting.beta"): [1e-3, 100],
    ("vim-fig4a", "vib", "weighting.beta"): [1e-3],
    ("vim-fig4a", "vim", "weighting.beta"): [1e-3],
    ("vim-fig4b", "vib", "objective.prior_width"): [0.5, 2.5],
    ("vim-fig4b", "vim", "objective.prior_width"): [0.5, 2.5],
    # Section 7.3: γ varies from 1e-4 to 10 in log space.
    **{
        (preset, method, "weighting.beta"): [1e-4, 10]
        for preset, methods in (
            ("uib-fig1", ["l2"]),
            ("uib-fig5", ["l2", "log_var", "log_var_given_y"]),
            ("uib-fig6", ["l2", "log_var", "log_var_given_y"]),
        )
        for method in methods
    },
}
