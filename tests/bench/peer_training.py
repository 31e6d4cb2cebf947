#!/usr/bin/env python3
"""The notebook's fixed training in PyTorch, on the conversations of $PARZEN_SHARED: peer_training.py SEED...

The classifier of torch_reference.py with PyTorch's own initialisation, dropout, shuffling and a random split of its own (0.8,
0.1, 0.1), on the ids of Parzen's tokenizer; configs/notebook-fixed.json says the rest. Prints a JSON object an epoch, six for
each seed, and the means: what `parzen train configs/notebook-fixed.json --seed SEED` is to be compared with. Minutes an epoch.
Exit code 77 without PyTorch or the data.
"""
import collections
import json
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
SHARED = pathlib.Path(os.environ.get("PARZEN_SHARED", ROOT.parent / "shared"))
DATA = [SHARED / "data" / f"conversations-{split}_sft.jsonl" for split in ("train", "test")]
ORACLE = SHARED / "oracles" / "torch_reference.py"
PARZEN = ROOT / os.environ.get("PARZEN_BIN", "build/bin") / "parzen"
LENGTH, BATCH, EPOCHS, MIN_CLASS = 350, 4, 6, 99


def read():
    """Ids of the texts whose class has enough, their classes, and the size of the vocabulary."""
    rows = [json.loads(line) for path in DATA for line in open(path)]
    count = collections.Counter(row["topic"] for row in rows)
    rows = [row for row in rows if count[row["topic"]] >= MIN_CLASS]
    names = sorted({row["topic"] for row in rows})
    with tempfile.TemporaryDirectory() as folder:
        texts, tokenizer = f"{folder}/texts.jsonl", f"{folder}/tokenizer.json"
        with open(texts, "w") as f:
            f.writelines(json.dumps(row) + "\n" for row in rows)
        call = [PARZEN, "--json", "tokenizer"]
        subprocess.run([*call, "train", texts, "--field=completion", "--texts=350", f"--out={tokenizer}"], check=True, stdout=sys.stderr)
        ids = subprocess.run([*call, "encode", tokenizer, f"--file={texts}", "--field=completion"], check=True, stdout=subprocess.PIPE).stdout
        n_tokens = len(json.load(open(tokenizer))["model"]["vocab"])
    return json.loads(ids), [names.index(row["topic"]) for row in rows], n_tokens


def train(reference, seed, ids, labels, n_tokens):
    torch.manual_seed(seed)
    x, mask = torch.zeros(2, len(ids), LENGTH, dtype=torch.long)
    for i, text in enumerate(ids):
        n = min(len(text), LENGTH)
        x[i, :n], mask[i, :n] = torch.tensor(text[:n]), 1
    y = torch.tensor(labels)
    n_val = len(ids) // 10
    val, _, fit = torch.randperm(len(ids)).split([n_val, n_val, len(ids) - 2 * n_val])
    keys = dict(reference["KEYS"], d=128, h=8, L=LENGTH, V=n_tokens, C=max(labels) + 1, ffn=512, h1=512, h2=256, dropout=0.2)
    model = reference["Classifier"](keys)
    optimiser = torch.optim.AdamW(model.parameters(), lr=2e-5, weight_decay=1e-5)
    for epoch in range(1, EPOCHS + 1):
        model.train()
        loss = sum(float(reference["step"](model, optimiser, x[b], mask[b], y[b])) * len(b)
                   for b in fit[torch.randperm(len(fit))].split(BATCH)) / len(fit)
        model.eval()
        with torch.no_grad():
            right = sum(int((model(x[b], mask[b]).argmax(1) == y[b]).sum()) for b in val.split(BATCH))
        print(json.dumps({"seed": seed, "epoch": epoch, "train_loss": loss, "val_acc": right / len(val)}), flush=True)
    return loss, right / len(val)


def main():
    source = ORACLE.read_text().rsplit("main()", 1)[0]  # what it defines, without running it
    reference = {}
    exec(compile(source, ORACLE, "exec"), reference)
    torch.set_num_threads(1)
    data = read()
    found = [train(reference, int(seed), *data) for seed in sys.argv[1:] or ["1"]]
    print(json.dumps({"seeds": len(found), "train_loss": statistics.mean(f[0] for f in found),
                      "val_acc": statistics.mean(f[1] for f in found), "peer": "PyTorch " + torch.__version__}))


try:
    import torch
except ImportError:
    sys.exit(77)
if not (ORACLE.exists() and all(path.exists() for path in DATA)):
    sys.exit(77)
main()
