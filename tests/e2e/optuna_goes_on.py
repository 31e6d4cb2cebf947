"""Optuna makes a study, or goes on with one.

usage: optuna_goes_on.py FILE.db STUDY N [left]

Runs N trials of x, n and c: two of three complete, the others are pruned or
fail. With `left` it then enqueues one trial and leaves another running.
"""
import sys
import warnings

warnings.filterwarnings("ignore")

import optuna  # noqa: E402


def objective(trial):
    x = trial.suggest_float("x", 1e-3, 10, log=True)
    n = trial.suggest_int("n", 1, 9, step=2)
    c = trial.suggest_categorical("c", ["a", 1, None, True])
    for step in range(4):
        trial.report(x + n + step, step)
        if trial.number % 6 == 1 and step == 2:
            raise optuna.TrialPruned()
    if trial.number % 6 == 4:
        raise ValueError("it fails")
    return x + n + (c is None)


def main():
    optuna.logging.set_verbosity(optuna.logging.CRITICAL)
    storage = optuna.storages.RDBStorage(
        f"sqlite:///{sys.argv[1]}", skip_compatibility_check=True
    )
    study = optuna.create_study(
        study_name=sys.argv[2], storage=storage, load_if_exists=True
    )
    study.optimize(objective, n_trials=int(sys.argv[3]), catch=(ValueError,))
    if "left" in sys.argv:
        study.enqueue_trial({"x": 0.5, "n": 3, "c": None})
        study.enqueue_trial({"x": 0.25})
        trial = study.ask()  # takes the first: it never ends
        trial.suggest_float("x", 1e-3, 10, log=True)
        trial.report(77.0, 0)


main()
