#!/usr/bin/env python3
"""An exported model in PyTorch.

model_dir.py check MODEL_DIR IDS PREDICTIONS   IDS is what `tokenizer encode
    --json` printed for some texts, PREDICTIONS what `predict --json --top C`
    did: the logarithm of every class's probability of every text that has a
    token must be PyTorch's within 1e-5 (relative above 1).
    Prints how many texts were compared and the largest difference.
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


def load(path):
    with open(path) as f:
        return json.load(f)


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


def mean(x, mask):
    m = mask[:, :, None].float()
    return (x * m).sum(1) / m.sum(1)


ACTIVATIONS = {"relu": F.relu, "gelu_pytorch_tanh": lambda x: F.gelu(x, approximate="tanh")}
POOLINGS = {
    "flatten": lambda x, mask: x.flatten(1),
    "mean": mean,
    "max": lambda x, mask: x.masked_fill(~mask[:, :, None], float("-inf")).amax(1),
    "first": lambda x, mask: x[:, 0],
}


class Model:
    def __init__(self, folder):
        self.w = read_safetensors(folder + "/model.safetensors")
        config = load(folder + "/config.json")
        m = config["run"]["model"]
        self.L, self.d, self.h = m["max_len"], m["emb_dim"], m["num_heads"]
        self.fill = -9e-15 if m["mask"] == "notebook" else float("-inf")
        self.V = config["vocab_size"]
        self.position = (self.w["position.weight"] if m["position"] == "learned"
                         else sinusoid(self.L, self.d))
        self.layers = ["" if i == 0 else f"layers.{i}." for i in range(m["num_layers"])]
        self.residual = {"none": 0.0, "add": 1.0}[m["residual"]]
        self.is_pre = {"post": False, "pre": True}[m["norm"]]
        self.activation = ACTIVATIONS[config["activation"]]
        self.pooling = POOLINGS[m["pooling"]]

    def linear(self, name, x):
        return F.linear(x, self.w[name + ".weight"], self.w[name + ".bias"])

    def norm(self, name, x):
        return F.layer_norm(x, (self.d,), self.w[name + ".weight"], self.w[name + ".bias"])

    def attention(self, name, x, mask):
        split = lambda t: t.reshape(*x.shape[:2], self.h, -1).transpose(1, 2)
        q, k, v = (split(self.linear(name + part, x)) for part in ("query", "key", "value"))
        logits = q @ k.transpose(-2, -1) / math.sqrt(self.d // self.h)
        logits = logits.masked_fill(~mask[:, None, None, :], self.fill)
        mixed = torch.softmax(logits, -1) @ v
        return self.linear(name + "out", mixed.transpose(1, 2).reshape(x.shape))

    def ffn(self, name, x):
        return self.linear(name + "3", self.activation(self.linear(name + "0", x)))

    def encode(self, x, mask):
        for at in self.layers:
            for norm, part in (("norm1", lambda y: self.attention(at + "attention.", y, mask)),
                               ("norm2", lambda y: self.ffn(at + "ffn.", y))):
                if self.is_pre:
                    x = self.residual * x + part(self.norm(at + norm, x))
                else:
                    x = self.norm(at + norm, self.residual * x + part(x))
        return self.norm("norm", x) if self.is_pre else x

    def logprob(self, ids, mask):
        x = F.embedding(ids, self.w["embedding.weight"]) + self.position
        x = self.pooling(self.encode(x, mask), mask)
        for name in ("head.1", "head.4"):
            if name + ".weight" in self.w and self.w[name + ".weight"].numel():
                x = self.activation(self.linear(name, x))
        return F.log_softmax(self.linear("head.7", x), 1)


def check(folder, ids_file, predictions_file):
    model, labels = Model(folder), load(folder + "/labels.json")
    n, worst = 0, 0.0
    for ids, prediction in zip(load(ids_file), load(predictions_file), strict=True):
        ids = ids[: model.L]
        if not ids:
            continue
        row = torch.tensor([ids + [0] * (model.L - len(ids))])
        want = model.logprob(row, torch.arange(model.L)[None] < len(ids))[0]
        assert len(prediction["top"]) == len(labels)
        for got in prediction["top"]:
            expected = float(want[labels.index(got["class"])])
            worst = max(worst, abs(math.log(got["probability"]) - expected) / max(1, -expected))
        n += 1
    print(n, worst)
    return 0 if n > 0 and worst < 1e-5 else 1


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


with torch.no_grad():
    if sys.argv[1] == "check":
        sys.exit(check(*sys.argv[2:5]))
    sys.exit(measure(sys.argv[2], int(sys.argv[3])))
