"""Makes prune.json: what PyTorch and transformers say about ../formats/fp32 (torch 2.x, transformers 4.57)."""

import json
import pathlib

import torch
import torch.nn.utils.prune as prune
from transformers import AutoModelForSequenceClassification

here = pathlib.Path(__file__).parent
torch.set_num_threads(1)


def model():
    path = here.parent / "formats" / "fp32"
    return AutoModelForSequenceClassification.from_pretrained(path, attn_implementation="eager").eval()


def linears(m):
    return [(n, l) for n, l in m.named_modules() if isinstance(l, torch.nn.Linear) and ".layer." in n]


def bits(mask):
    flags = mask.flatten().to(torch.uint8).tolist()
    flags += [0] * (-len(flags) % 8)
    return bytes(sum(f << i for i, f in enumerate(flags[k : k + 8])) for k in range(0, len(flags), 8)).hex()


out = {"sparsity": 0.37}
m = model()
for _, l in linears(m):
    prune.l1_unstructured(l, "weight", amount=out["sparsity"])
out["layer"] = {n: bits(l.weight_mask) for n, l in linears(m)}
m = model()
prune.global_unstructured([(l, "weight") for _, l in linears(m)], prune.L1Unstructured, amount=out["sparsity"])
out["global"] = {n: bits(l.weight_mask) for n, l in linears(m)}

# First-order importance, row by row: heads by transformers' own head mask, neurons by the gradient of a gate.
torch.manual_seed(0)
rows = [torch.randint(1, 200, (1, n)) for n in (7, 12, 3, 9)]
labels = [0, 1, 1, 0]
heads = torch.zeros(2, 4)
neurons = torch.zeros(2, 64)
for ids, label in zip(rows, labels):
    m = model()
    head_mask = torch.ones(2, 4, requires_grad=True)
    gates = [torch.ones(64, requires_grad=True) for _ in range(2)]
    for layer, gate in zip(m.bert.encoder.layer, gates):
        layer.output.dense.register_forward_pre_hook(lambda mod, a, gate=gate: (a[0] * gate,))
    m(input_ids=ids, head_mask=head_mask, labels=torch.tensor([label])).loss.backward()
    heads += head_mask.grad.abs() / len(rows)
    neurons += torch.stack([g.grad.abs() for g in gates]) / len(rows)
out["rows"] = [r[0].tolist() for r in rows]
out["labels"] = labels
out["heads"] = heads.tolist()
out["neurons"] = neurons.tolist()

# Logits after heads and neurons are gone, by transformers' own surgery.
kept_neurons = [sorted(n.argsort(descending=True)[:24].tolist()) for n in neurons]
m = model()
m.prune_heads({0: [1, 3], 1: [0]})
for layer, kept in zip(m.bert.encoder.layer, kept_neurons):
    i, o = layer.intermediate.dense, layer.output.dense
    i.weight.data, i.bias.data, o.weight.data = i.weight.data[kept], i.bias.data[kept], o.weight.data[:, kept]
out["kept_heads"] = [[0, 2], [1, 2, 3]]
out["kept_neurons"] = kept_neurons
with torch.no_grad():
    out["pruned_logits"] = [m(input_ids=r).logits[0].tolist() for r in rows]
(here / "prune.json").write_text(json.dumps(out) + "\n")
