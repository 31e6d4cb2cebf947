#!/usr/bin/env python3
"""An exported model in PyTorch.

model_dir.py check MODEL_DIR REPORT   REPORT is what `evaluate --json` printed:
    the probabilities of each error's tokens must be PyTorch's within 1e-5.
    Prints how many were compared and the largest difference.
model_dir.py time MODEL_DIR N         texts per second of the bare forward pass
    over N texts of full length, batches of 16, one thread.
Exit code 77 without PyTorch.
"""
import json
import math
import struct
import sys
import time

try:
    import torch
    import torch.nn.functional as F
except ImportError:
    sys.exit(77)


def read_safetensors(path):
    with open(path, "rb") as f:
        (n,) = struct.unpack("<Q", f.read(8))
        header, data = json.loads(f.read(n)), f.read()
    header.pop("__metadata__", None)
    tensors = {}
    for name, t in header.items():
        assert t["dtype"] == "F32"
        begin, end = t["data_offsets"]
        flat = torch.frombuffer(bytearray(data[begin:end]), dtype=torch.float32)
        tensors[name] = flat.reshape(t["shape"])
    return tensors


def sinusoid(L, d):
    p = torch.arange(L, dtype=torch.float64).unsqueeze(1)
    i = torch.arange(0, d, 2, dtype=torch.float64)
    angle = p / torch.pow(torch.tensor(10000.0, dtype=torch.float64), i / d)
    out = torch.zeros(L, d, dtype=torch.float64)
    out[:, 0::2], out[:, 1::2] = torch.sin(angle), torch.cos(angle)[:, : d // 2]
    return out.float()


class Model:
    def __init__(self, folder):
        self.w = read_safetensors(folder + "/model.safetensors")
        with open(folder + "/config.json") as f:
            config = json.load(f)
        m = config["run"]["model"]
        self.L, self.d, self.h = m["max_len"], m["emb_dim"], m["num_heads"]
        self.fill = -9e-15 if m["mask"] == "notebook" else float("-inf")
        self.V = config["vocab_size"]
        self.position = (self.w["position.weight"] if m["position"] == "learned"
                         else sinusoid(self.L, self.d))

    def linear(self, name, x):
        return F.linear(x, self.w[name + ".weight"], self.w[name + ".bias"])

    def norm(self, name, x):
        return F.layer_norm(x, (self.d,), self.w[name + ".weight"], self.w[name + ".bias"])

    def attention(self, x, mask):
        B, k = x.shape[0], self.d // self.h
        q, key, v = (self.linear("attention." + n, x).reshape(B, self.L, self.h, k).transpose(1, 2)
                     for n in ("query", "key", "value"))
        logits = (q @ key.transpose(-2, -1)) / math.sqrt(k)
        logits = logits.masked_fill(~mask[:, None, None, :], self.fill)
        x = (torch.softmax(logits, -1) @ v).transpose(1, 2).reshape(B, self.L, self.d)
        return self.linear("attention.out", x)

    def logprob(self, ids, mask):
        x = F.embedding(ids, self.w["embedding.weight"]) + self.position
        x = self.norm("norm1", self.attention(x, mask))
        x = self.linear("ffn.3", F.relu(self.linear("ffn.0", x)))
        x = self.norm("norm2", x).flatten(1)
        x = F.relu(self.linear("head.1", x))
        x = F.relu(self.linear("head.4", x))
        return F.log_softmax(self.linear("head.7", x), 1)


def check(folder, report):
    model = Model(folder)
    with open(folder + "/tokenizer.json") as f:
        vocab = json.load(f)["model"]["vocab"]
    with open(folder + "/labels.json") as f:
        labels = json.load(f)
    with open(report) as f:
        errors = json.load(f)["errors"]
    worst = 0.0
    for e in errors:
        ids = [vocab[t] for t in e["tokens"]]
        row = torch.tensor([ids + [0] * (model.L - len(ids))])
        p = model.logprob(row, torch.arange(model.L)[None] < len(ids)).exp()[0]
        for name, key in ((e["class"], "class_probability"), (e["predicted"], "probability")):
            worst = max(worst, abs(float(p[labels.index(name)]) - e[key]))
    print(len(errors), worst)
    return 0 if errors and worst < 1e-5 else 1


def measure(folder, n):
    torch.set_num_threads(1)
    model, done, start = Model(folder), 0, time.process_time()
    with torch.no_grad():
        while done < n:
            ids = torch.randint(1, model.V, (16, model.L))
            model.logprob(ids, torch.ones(16, model.L, dtype=torch.bool))
            done += 16
    print(done / (time.process_time() - start))
    return 0


if sys.argv[1] == "check":
    sys.exit(check(sys.argv[2], sys.argv[3]))
sys.exit(measure(sys.argv[2], int(sys.argv[3])))
