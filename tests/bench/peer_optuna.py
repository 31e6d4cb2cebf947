#!/usr/bin/env python3
"""What `make bench` compares the search with: Optuna.

peer_optuna.py suggest N            suggest_us: median of one suggestion of five
    parameters with N finished trials, TPE (multivariate), in memory
peer_optuna.py trials N WORKERS DB  trials_per_s of an instant objective, random
    search, WORKERS processes on the SQLite file DB
One JSON object. Exit code 77 without Optuna.
"""
import json
import math
import multiprocessing
import random
import sys
import time

try:
    import optuna
    from optuna.distributions import (CategoricalDistribution, FloatDistribution, IntDistribution)
except ImportError:
    sys.exit(77)

MEASURED = 9
SPACE = {
    "p0": lambda t: t.suggest_float("p0", 1e-5, 1e-1, log=True),
    "p1": lambda t: t.suggest_float("p1", 0, 1),
    "p2": lambda t: t.suggest_int("p2", 1, 1000),
    "p3": lambda t: t.suggest_categorical("p3", [0, 1, 2, 3]),
    "p4": lambda t: t.suggest_float("p4", -5, 5, step=0.1),
}


def past(n):
    kinds = {"p0": FloatDistribution(1e-5, 1e-1, log=True), "p1": FloatDistribution(0, 1),
             "p2": IntDistribution(1, 1000), "p3": CategoricalDistribution([0, 1, 2, 3]),
             "p4": FloatDistribution(-5, 5, step=0.1)}
    for _ in range(n):
        yield optuna.trial.create_trial(
            value=random.random(), distributions=kinds,
            params={"p0": 10 ** random.uniform(-5, -1), "p1": random.random(),
                    "p2": random.randint(1, 1000), "p3": random.randrange(4),
                    "p4": random.randrange(101) / 10 - 5})


def suggest(n):
    sampler = optuna.samplers.TPESampler(seed=1, multivariate=True)
    study, took = optuna.create_study(sampler=sampler), []
    for trial in past(int(n)):
        study.add_trial(trial)
    for _ in range(MEASURED):
        start = time.perf_counter()
        trial = study.ask()
        for ask in SPACE.values():
            ask(trial)
        took.append(1e6 * (time.perf_counter() - start))
        study.tell(trial, random.random())
    return {"suggest_us": sorted(took)[MEASURED // 2]}


def objective(trial):
    trial.suggest_float("weight_decay", 1e-6, 1e-2, log=True)
    return -abs(math.log10(trial.suggest_float("lr", 1e-5, 1e-1, log=True)) + 3)


def work(db, n):
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    study = optuna.load_study(study_name="bench", storage=db, sampler=optuna.samplers.RandomSampler())
    study.optimize(objective, n_trials=n)


def trials(n, workers, path):
    db, n, workers = "sqlite:///" + path, int(n), int(workers)
    optuna.create_study(study_name="bench", storage=db, direction="maximize")
    jobs = [multiprocessing.Process(target=work, args=(db, n // workers)) for _ in range(workers)]
    start = time.perf_counter()
    for job in jobs:
        job.start()
    for job in jobs:
        job.join()
    return {"trials_per_s": n // workers * workers / (time.perf_counter() - start)}


def main():
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    random.seed(1)
    what, args = sys.argv[1], sys.argv[2:]
    print(json.dumps(suggest(*args) if what == "suggest" else trials(*args)))


if __name__ == "__main__":
    main()
