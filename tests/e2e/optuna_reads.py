"""Prints a study as Optuna's own storage reads it: one line per trial.

usage: optuna_reads.py PARZEN.DB STUDY

Numbers are hexadecimal floats; the trial's line is
    NUMBER STATE VALUE|- lr=...,name=... 0=...,1=...
(parameters and intermediate values, each in order of their key).
"""
import sys
import warnings

warnings.filterwarnings("ignore")

import optuna  # noqa: E402


def text(value):
    if isinstance(value, float):
        return value.hex()
    return str(value)


def pairs(values):
    items = sorted(values.items())
    return ",".join(f"{k}={text(v)}" for k, v in items) or "-"


def main():
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    storage = optuna.storages.RDBStorage(
        f"sqlite:///{sys.argv[1]}",
        engine_kwargs={"connect_args": {"timeout": 20}},
        skip_compatibility_check=True,
    )
    study = optuna.load_study(study_name=sys.argv[2], storage=storage)
    for trial in study.get_trials(deepcopy=False):
        value = trial.value if trial.state.is_finished() else None
        print(
            trial.number,
            trial.state.name,
            "-" if value is None else value.hex(),
            pairs(trial.params),
            pairs(trial.intermediate_values),
        )


main()
