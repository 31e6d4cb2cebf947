#!/usr/bin/env python3
"""A whole study beside the same work in PyTorch: peer_study.py [N_TRIALS]

configs/notebook.json (20 trials of up to 5 epochs) on the conversations of $PARZEN_SHARED, with two workers, from an empty
state directory. study_s is its wall time, the tokenizers and each epoch's evaluation included. torch_s is PyTorch's for the
training steps alone: every epoch of every trial at the median step of its embedding size, measured by torch_reference.py
before and after the study, two processes at a time as the workers were two. Prints one JSON object. For a quiet machine,
and long: minutes for a trial. Exit code 77 without PyTorch or the data.
"""
import collections
import json
import os
import pathlib
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
SHARED = pathlib.Path(os.environ.get("PARZEN_SHARED", ROOT.parent / "shared"))
DATA = [SHARED / "data" / f"conversations-{split}_sft.jsonl" for split in ("train", "test")]
ORACLE = SHARED / "oracles" / "torch_reference.py"
PARZEN = ROOT / os.environ.get("PARZEN_BIN", "build/bin") / "parzen"
SIZES, WORKERS, BATCH = (64, 128, 256), 2, 4
KEYS = ["V=4700", "C=14", "steps=12"]  # of these conversations


def torch_steps(found):
    """Add the milliseconds of a step, of each of two processes at once, to found[d]."""
    for d in SIZES:
        both = [subprocess.Popen([sys.executable, ORACLE, "time", f"d={d}", *KEYS], stdout=subprocess.PIPE) for _ in range(WORKERS)]
        found[d] += [json.loads(p.communicate()[0])["ms"] for p in both]


def run_study(state, n_trials):
    parzen = [PARZEN, "--state", state]
    subprocess.run([*parzen, "daemon", "start", "--port", "0", "--workers", str(WORKERS)], check=True, stdout=sys.stderr)
    start = time.monotonic()
    try:
        subprocess.run([*parzen, "run", ROOT / "configs/notebook.json", "--trials", str(n_trials), "--workers", str(WORKERS),
                        "--set", "data.source=" + json.dumps([str(p) for p in DATA])], check=True, stdout=sys.stderr)
        took = time.monotonic() - start
        status = json.loads(subprocess.run([*parzen, "--json", "status", "notebook"], check=True, stdout=subprocess.PIPE).stdout)
        return took, status["data"]["train"]
    finally:
        subprocess.run([*parzen, "daemon", "stop"], stdout=sys.stderr)


def look(state):
    """Epochs by embedding size, and the best value."""
    db = sqlite3.connect(f"file:{state}/parzen.db?mode=ro", uri=True)
    epochs = collections.Counter()
    for dist, value, n in db.execute("SELECT distribution_json, param_value, count(*) FROM trial_params JOIN parzen_epochs"
                                     " USING (trial_id) WHERE param_name = 'emb_dim' GROUP BY trial_id"):
        epochs[json.loads(dist)["attributes"]["choices"][int(value)]] += n
    return epochs, db.execute("SELECT max(value) FROM trial_values").fetchone()[0]


def main():
    n_trials = int(sys.argv[1]) if len(sys.argv) > 1 else 20
    try:
        import torch
    except ImportError:
        sys.exit(77)
    if not all(p.exists() for p in [*DATA, ORACLE]):
        sys.exit(77)
    os.environ.update(OPENBLAS_NUM_THREADS="1", OMP_NUM_THREADS="1")
    found = collections.defaultdict(list)
    torch_steps(found)
    with tempfile.TemporaryDirectory(dir=ROOT / "build") as state:
        took, n_train = run_study(state, n_trials)
        epochs, best = look(state)
    torch_steps(found)
    step_ms = {d: statistics.median(found[d]) for d in SIZES}
    batches = -(-n_train // BATCH)
    torch_s = sum(n * batches * step_ms[d] / 1000 for d, n in epochs.items()) / WORKERS
    json.dump({"study_s": took, "torch_s": torch_s, "ratio": torch_s / took, "best": best, "batches": batches,
               "epochs": dict(epochs), "torch_step_ms": step_ms, "peer": "PyTorch " + torch.__version__}, sys.stdout)
    print()


main()
