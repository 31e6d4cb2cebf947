#!/usr/bin/env python3
"""Print what Optuna 5 suggests after histories that plain runs never have: pruned,
running and failed trials, ties, infinities, partial and out-of-range parameters, ranges
that changed, every option. One JSON object per line; test_sampler_scenarios.c reads it.

Usage: PYTHONPATH=<Optuna 5> scenarios.py N > scenarios.jsonl
"""
import json
import random
import sys

import numpy as np

_argsort = np.argsort
np.argsort = lambda a, axis=-1, kind=None, order=None, **kw: _argsort(a, axis=axis, kind="stable", order=order)
import optuna  # noqa: E402
from optuna.distributions import (CategoricalDistribution as Cat, FloatDistribution as Float,  # noqa: E402
                                  IntDistribution as Int, distribution_to_json)
from optuna.trial import TrialState, Trial, create_trial  # noqa: E402

optuna.logging.set_verbosity(optuna.logging.ERROR)
import warnings  # noqa: E402

warnings.simplefilter("ignore")

POOL = {"a": [Float(-5, 10), Float(0, 4), Float(-5, 30)],
        "b": [Int(1, 9), Int(1, 9, step=2), Int(3, 3)],
        "c": [Cat(["p", "q", "r"])],
        "d": [Cat([0, 1])],
        "l": [Float(1e-4, 1, log=True), Float(1e-3, 0.1, log=True)],
        "n": [Int(1, 64, log=True), Int(4, 200, log=True)],
        "s": [Float(0, 1, step=0.25), Float(0, 2, step=0.1)],
        "w": [Int(0, 100000)]}


def number(x):
    return x if x is None or np.isfinite(x) else repr(float(x))


def draw(r, d):
    if isinstance(d, Cat):
        return d.to_external_repr(r.randrange(len(d.choices)))
    if d.log:
        x = float(np.exp(r.uniform(np.log(d.low), np.log(d.high))))
    else:
        x = r.uniform(d.low, d.high)
    if d.step is not None:
        x = d.low + round((x - d.low) / d.step) * d.step
    x = min(max(x, d.low), d.high)
    return int(x) if isinstance(d, Int) else x


def history(r, study, names, dynamic, kinds):
    """Add trials; yields their JSON."""
    for _ in range(r.choice([3, 9, 10, 11, 14, 20, 28, 36])):
        own = [n for n in names if r.random() < (0.8 if dynamic else 1.0)]
        dists = {n: r.choice(POOL[n]) if dynamic and r.random() < 0.3 else POOL[n][0] for n in own}
        params = {n: draw(r, d) for n, d in dists.items()}
        state = r.choice(kinds)
        value, steps = None, {}
        if state == TrialState.COMPLETE:
            value = r.choice([r.uniform(-3, 3), float(r.randrange(3)), r.choice([np.inf, -np.inf, 0.5])])
        if state in (TrialState.PRUNED, TrialState.RUNNING):
            steps = {r.randrange(4): r.choice([r.uniform(-1, 1), float("nan"), float("inf"), 0.5])
                     for _ in range(r.randrange(3))}
        study.add_trial(create_trial(state=state, value=value, params=params, distributions=dists,
                                     intermediate_values=steps))
        yield {"state": state.name, "value": number(value),
               "steps": [[k, number(v)] for k, v in steps.items()],
               "params": {n: [json.loads(distribution_to_json(d)), d.to_internal_repr(params[n])]
                          for n, d in dists.items()}}


def scenario(i):
    r = random.Random(i)
    options = {"multivariate": r.random() < 0.7, "constant_liar": r.random() < 0.6,
               "prior_weight": r.choice([1.0, 1.0, 0.3, 2.5]), "consider_magic_clip": r.random() < 0.8,
               "consider_endpoints": r.random() < 0.3, "n_ei_candidates": r.choice([24, 24, 1, 7, 60]),
               "n_startup_trials": r.choice([10, 10, 0, 5])}
    options["group"] = options["multivariate"] and r.random() < 0.4
    direction = r.choice(["minimize", "maximize"])
    names = r.sample(sorted(POOL), r.randrange(1, 7))
    kinds = r.choice([[TrialState.COMPLETE],
                      [TrialState.COMPLETE, TrialState.PRUNED],
                      [TrialState.PRUNED],
                      [TrialState.COMPLETE, TrialState.COMPLETE, TrialState.PRUNED, TrialState.RUNNING,
                       TrialState.FAIL, TrialState.WAITING]])
    study = optuna.create_study(direction=direction, sampler=optuna.samplers.TPESampler(seed=i, **options))
    trials = list(history(r, study, names, r.random() < 0.5, kinds))
    trial = Trial(study, study._storage.create_new_trial(study._study_id))
    asked = []
    for n in r.sample(names, len(names)):
        d = r.choice(POOL[n]) if r.random() < 0.3 else POOL[n][0]
        v = trial._suggest(n, d)
        asked.append([n, json.loads(distribution_to_json(d)), d.to_internal_repr(v)])
    return {"seed": i, "direction": direction, "options": options, "trials": trials, "asked": asked}


for i in range(int(sys.argv[1])):
    print(json.dumps(scenario(i), separators=(",", ":")))
