#!/usr/bin/env python3
"""The classifier (core/nn/model.h) in PyTorch, for `make bench`.

peer_torch.py step [key=value ...]     one JSON object: ms, the median of one
    training step. Keys and defaults are train-step's.
peer_torch.py predict MODEL_DIR IDS    one JSON object: texts_per_s of the bare
    forward pass. IDS has a text's token ids on each line; batches of BATCH
    texts, padded to the longest (flatten: to max_len).
One thread. Exit code 77 without PyTorch.
"""
import json
import math
import struct
import sys
import time

try:
    import torch
    import torch.nn as nn
    import torch.nn.functional as F
except ImportError:
    sys.exit(77)

BATCH = 32
NOTEBOOK = {"mask": "notebook", "norm": "post", "residual": "none", "pooling": "flatten",
            "activation": "relu", "position": "sinusoid", "num_layers": 1}


def sinusoid(L, d):
    angle = torch.arange(L)[:, None] / 10000 ** (2 * (torch.arange(d) // 2) / d)
    return torch.where(torch.arange(d) % 2 == 0, angle.sin(), angle.cos())


class Attention(nn.Module):
    def __init__(self, c):
        super().__init__()
        d = c["emb_dim"]
        self.heads, self.fill = c["num_heads"], -9e-15 if c["mask"] == "notebook" else -math.inf
        self.query, self.key = nn.Linear(d, d), nn.Linear(d, d)
        self.value, self.out = nn.Linear(d, d), nn.Linear(d, d)

    def forward(self, x, padded):
        B, L, d = x.shape
        q, k, v = (f(x).view(B, L, self.heads, -1).transpose(1, 2)
                   for f in (self.query, self.key, self.value))
        logits = q @ k.transpose(2, 3) / math.sqrt(d // self.heads)
        p = logits.masked_fill(padded[:, None, None, :], self.fill).softmax(3)
        return self.out((p @ v).transpose(1, 2).reshape(B, L, d))


class Layer(nn.Module):
    def __init__(self, c):
        super().__init__()
        d, act = c["emb_dim"], nn.ReLU() if c["activation"] == "relu" else nn.GELU("tanh")
        self.pre, self.adds = c["norm"] == "pre", c["residual"] == "add"
        self.attention, self.drop = Attention(c), nn.Dropout(c["dropout"])
        self.ffn = nn.Sequential(nn.Linear(d, c["ffn_dim"]), act, nn.Dropout(c["dropout"]),
                                 nn.Linear(c["ffn_dim"], d))
        self.norm1, self.norm2 = nn.LayerNorm(d), nn.LayerNorm(d)

    def part(self, x, norm, f):
        y = f(norm(x) if self.pre else x)
        y = x + y if self.adds else y
        return y if self.pre else norm(y)

    def forward(self, x, padded):
        x = self.part(x, self.norm1, lambda y: self.drop(self.attention(y, padded)))
        return self.part(x, self.norm2, self.ffn)


class Model(nn.Module):
    def __init__(self, c, vocab_size, n_classes):
        super().__init__()
        L, d = c["max_len"], c["emb_dim"]
        self.flat, self.embedding = c["pooling"] == "flatten", nn.Embedding(vocab_size, d)
        if c["position"] == "learned":
            self.position = nn.Parameter(torch.randn(L, d))
        else:
            self.register_buffer("position", sinusoid(L, d))
        self.layers = nn.ModuleList(Layer(c) for _ in range(c["num_layers"]))
        self.norm = nn.LayerNorm(d) if c["norm"] == "pre" else nn.Identity()
        widths = [L * d if self.flat else d] + [w for w in (c["head1_dim"], c["head2_dim"]) if w]
        head = []
        for a, b in zip(widths, widths[1:]):
            act = nn.ReLU() if c["activation"] == "relu" else nn.GELU("tanh")
            head += [nn.Linear(a, b), act, nn.Dropout(c["dropout"])]
        self.head = nn.Sequential(*head, nn.Linear(widths[-1], n_classes))

    def forward(self, x, n):
        padded = torch.arange(x.shape[1])[None] >= n[:, None]
        y = self.embedding(x) + self.position[: x.shape[1]]
        for layer in self.layers:
            y = layer(y, padded)
        y = self.norm(y)
        if self.flat:
            return self.head(y.flatten(1))
        return self.head(y.masked_fill(padded[:, :, None], 0).sum(1) / n[:, None])


def median(values):
    return sorted(values)[len(values) // 2]


def step(args):
    k = dict(d=128, h=8, L=350, V=8811, C=19, ffn=512, h1=512, h2=256, B=4, steps=12)
    k.update((a.split("=")[0], int(a.split("=")[1])) for a in args)
    c = dict(NOTEBOOK, max_len=k["L"], emb_dim=k["d"], num_heads=k["h"], ffn_dim=k["ffn"],
             head1_dim=k["h1"], head2_dim=k["h2"], dropout=0.2)
    model = Model(c, k["V"], k["C"])
    n = torch.randint(k["L"] // 3, k["L"] + 1, (k["B"],))
    x = torch.randint(1, k["V"], (k["B"], k["L"])) * (torch.arange(k["L"])[None] < n[:, None])
    y = torch.randint(0, k["C"], (k["B"],))
    adamw, took = torch.optim.AdamW(model.parameters(), lr=2e-5, weight_decay=1e-5), []
    for _ in range(k["steps"]):
        start = time.perf_counter()
        adamw.zero_grad()
        F.cross_entropy(model(x, n), y).backward()
        adamw.step()
        took.append(1e3 * (time.perf_counter() - start))
    return {"ms": median(took[2:])}


def load(model, path):
    """Parzen's names: the first layer's have no prefix, later ones layers.N."""
    with open(path, "rb") as f:
        (n,) = struct.unpack("<Q", f.read(8))
        header, data = json.loads(f.read(n)), bytearray(f.read())
    header.pop("__metadata__", None)
    ours = dict(model.named_parameters())
    linears = [i for i, m in enumerate(model.head) if isinstance(m, nn.Linear)]
    for name, t in header.items():
        begin, end = t["data_offsets"]
        value = torch.frombuffer(data[begin:end], dtype=torch.float32).reshape(t["shape"])
        parts = name.split(".")
        if parts[0] in ("attention", "ffn", "norm1", "norm2"):
            name = "layers.0." + name
        elif parts[0] == "head":  # counted from the end: widths of 0 are left out
            last = len(linears) - 1 - (7 - int(parts[1])) // 3
            name = "head.%d.%s" % (linears[last], parts[2])
        elif name == "position.weight":
            name = "position"
        with torch.no_grad():
            ours.pop(name).copy_(value)
    assert not ours, sorted(ours)


def predict(folder, path):
    with open(folder + "/config.json") as f:
        config = json.load(f)
    c = config["run"]["model"]
    model = Model(c, config["vocab_size"], config["n_classes"]).eval()
    load(model, folder + "/model.safetensors")
    with open(path) as f:
        texts = [[int(i) for i in line.split()[: c["max_len"]]] or [0] for line in f]
    start, sure = time.perf_counter(), 0.0
    with torch.no_grad():
        for at in range(0, len(texts), BATCH):
            some = texts[at: at + BATCH]
            n = torch.tensor([len(t) for t in some])
            L = c["max_len"] if model.flat else int(n.max())
            x = torch.tensor([t + [0] * (L - len(t)) for t in some])
            sure += float(model(x, n).softmax(1).max(1).values.sum())
    took = time.perf_counter() - start
    return {"texts_per_s": len(texts) / took, "probability": sure / len(texts)}


def main():
    torch.set_num_threads(1)
    what, args = sys.argv[1], sys.argv[2:]
    print(json.dumps(step(args) if what == "step" else predict(*args)))


main()
