"""Makes the tiny models of this folder and what `transformers` computes with them.

Run with torch, transformers and safetensors installed:  python make.py
Each model has odd sizes (5 heads of 6, a feed-forward net of 50, 3 layers), so that no kernel gets whole vectors. The batch has
rows of different lengths; each row is run alone, as lmpipe never pads. `expected.safetensors` holds, row after row:
hidden_<layer> [tokens, hidden], attention_<layer> [sum of heads x len x len], logits.
"""

import json
import os
import shutil

import torch
from safetensors.torch import load_file, save_file
from transformers import BertConfig, BertForMaskedLM, BertForSequenceClassification, BertModel

HERE = os.path.dirname(os.path.abspath(__file__))
LENGTHS = [1, 7, 2, 19]
SIZES = dict(
    vocab_size=83,
    hidden_size=30,
    num_hidden_layers=3,
    num_attention_heads=5,
    intermediate_size=50,
    max_position_embeddings=24,
    type_vocab_size=2,
    attn_implementation="eager",
)


def randomize(model, seed):
    """Larger weights than at initialisation, biases and norms too: an error anywhere shows in the numbers."""
    generator = torch.Generator().manual_seed(seed)
    for name, parameter in model.named_parameters():
        noise = torch.randn(parameter.shape, generator=generator)
        parameter.data = 1 + 0.1 * noise if name.lower().endswith("norm.weight") else 0.15 * noise


def batch():
    generator = torch.Generator().manual_seed(1)
    ids = [torch.randint(0, SIZES["vocab_size"], (n,), generator=generator) for n in LENGTHS]
    kinds = [(torch.arange(n) >= n // 2 + 1).long() for n in LENGTHS]
    return ids, kinds


def expected(model, path):
    ids, kinds = batch()
    out = {"input_ids": torch.cat(ids).int(), "type_ids": torch.cat(kinds).int(), "lengths": torch.tensor(LENGTHS).int()}
    hidden, attention, logits = {}, {}, []
    model.eval()
    with torch.no_grad():
        for row, kind in zip(ids, kinds):
            y = model(row[None], token_type_ids=kind[None], output_hidden_states=True, output_attentions=True)
            for i, x in enumerate(y.hidden_states):
                hidden.setdefault(i, []).append(x[0])
            for i, x in enumerate(y.attentions):
                attention.setdefault(i, []).append(x[0].flatten())
            if hasattr(y, "logits"):
                logits.append(y.logits[0] if y.logits.dim() == 3 else y.logits)
    out |= {f"hidden_{i}": torch.cat(x) for i, x in hidden.items()}
    out |= {f"attention_{i}": torch.cat(x) for i, x in attention.items()}
    if logits:
        out["logits"] = torch.cat(logits)
    save_file(out, path)


def make(name, cls, seed, rename=None, keep=lambda name: True, prune=None, **options):
    model = cls(BertConfig(**SIZES, **options))
    randomize(model, seed)
    if prune:
        model.prune_heads(prune)
    folder = os.path.join(HERE, name)
    shutil.rmtree(folder, ignore_errors=True)
    model.save_pretrained(folder)
    path = os.path.join(folder, "model.safetensors")
    if rename:
        tensors = {rename(key): value for key, value in load_file(path).items() if keep(key)}
        if name == "tiny-old-names":
            tensors["bert.embeddings.position_ids"] = torch.arange(SIZES["max_position_embeddings"])[None]
            tensors["cls.predictions.decoder.weight"] = tensors["bert.embeddings.word_embeddings.weight"].clone()
            tensors["cls.seq_relationship.weight"] = torch.zeros(2, SIZES["hidden_size"])
        save_file(tensors, path, metadata={"format": "pt"})
    expected(model, os.path.join(folder, "expected.safetensors"))
    if prune:
        # What was written opens again in `transformers`, with the smaller tensors.
        again = cls.from_pretrained(folder, attn_implementation="eager")
        for (key, a), (_, b) in zip(model.state_dict().items(), again.state_dict().items()):
            assert torch.equal(a, b), key


def old(name):
    return name.replace("LayerNorm.weight", "LayerNorm.gamma").replace("LayerNorm.bias", "LayerNorm.beta")


if __name__ == "__main__":
    make("tiny-classifier", BertForSequenceClassification, 1, id2label={0: "bad", 1: "so-so", 2: "good"},
         label2id={"bad": 0, "so-so": 1, "good": 2})
    make("tiny-gelu-new", BertForSequenceClassification, 2, hidden_act="gelu_new")
    make("tiny-masked-lm", BertForMaskedLM, 3)
    make("tiny-old-names", BertForMaskedLM, 4, rename=old)
    make("tiny-pruned", BertForSequenceClassification, 5, prune={0: [1, 3], 2: [0, 1, 2, 4]}, hidden_act="relu")
    make("tiny-encoder", BertModel, 6, rename=lambda name: name, keep=lambda name: "pooler" not in name,
         layer_norm_eps=1e-5)
    print(json.dumps(sorted(name for name in os.listdir(HERE) if name.startswith("tiny"))))
