"""Golden trainings: what torch and transformers make of a tiny classifier in a few steps, for src/train/tests.rs.

    pip install torch transformers
    python tests/reference/steps.py tests/data/models/tiny-classifier > tests/data/train/steps.json

Two trainings without dropout, each step a pass over all rows, whose lengths are uneven: in one AdamW decays what is
neither a bias nor a norm, in the other everything. Linear warm-up and decay; the norm of the gradient is clipped.
"""
import json
import random
import sys

import torch
import torch.nn.functional as F
import transformers
from transformers import AutoModelForSequenceClassification, get_linear_schedule_with_warmup

STEPS, RATE, WARMUP, DECAY, CLIP = 12, 5e-3, 0.25, 0.01, 1.0

random.seed(5)
rows = [[random.randrange(5, 83) for _ in range(random.randrange(3, 20))] for _ in range(16)]
labels = [random.randrange(3) for _ in rows]


def train(no_decay):
    model = AutoModelForSequenceClassification.from_pretrained(
        sys.argv[1], hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0
    ).train()
    parameters = list(model.named_parameters())
    free = [p for name, p in parameters if any(part in name for part in no_decay)]
    decayed = [p for name, p in parameters if not any(part in name for part in no_decay)]
    groups = [{"params": decayed, "weight_decay": DECAY}, {"params": free, "weight_decay": 0.0}]
    optimizer = torch.optim.AdamW([group for group in groups if group["params"]], lr=RATE)
    schedule = get_linear_schedule_with_warmup(optimizer, int(WARMUP * STEPS), STEPS)
    longest = max(map(len, rows))
    ids = torch.tensor([row + [0] * (longest - len(row)) for row in rows])
    mask = torch.tensor([[1] * len(row) + [0] * (longest - len(row)) for row in rows])
    losses, norms = [], []
    for _ in range(STEPS):
        loss = F.cross_entropy(model(input_ids=ids, attention_mask=mask).logits, torch.tensor(labels))
        optimizer.zero_grad()
        loss.backward()
        norms.append(torch.nn.utils.clip_grad_norm_(model.parameters(), CLIP).item())
        optimizer.step()
        schedule.step()
        losses.append(loss.item())
    weights = {name: [p.double().sum().item(), p.double().norm().item()] for name, p in parameters}
    return {"no_decay": no_decay, "losses": losses, "gradient_norms": norms, "weights": weights}


made_by = f"torch {torch.__version__}, transformers {transformers.__version__}"
settings = {"steps": STEPS, "learning_rate": RATE, "warmup": WARMUP, "weight_decay": DECAY, "clip": CLIP}
trainings = [train(["bias", "LayerNorm"]), train([])]
print(json.dumps({"made_by": made_by, "rows": rows, "labels": labels, **settings, "trainings": trainings}))
