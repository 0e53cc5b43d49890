"""How fields are called where there is little room: tables, pictures, names of trials."""

_SHORT = {
    "weighting.beta": "β",
    "weighting.mu": "μ",
    "objective.prior_width": "σ",
    "training.learning_rate": "lr",
    "model.initial_scale": "init",
    "model.initial_noise": "noise",
}


def short_name(field: str) -> str:
    """`weighting.beta` as β; a field without a short name by the last part of its own."""
    return _SHORT.get(field, field.rpartition(".")[2])
