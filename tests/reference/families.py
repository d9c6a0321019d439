"""Checkpoints of every family with random sizes, windows and weights: what `lmpipe predict` says of odd texts beside `transformers`.

    pip install torch transformers
    python tests/reference/families.py [--seed 7] [--rounds 3] [--lmpipe target/release/lmpipe]

Each checkpoint is a classifier. It is answered as it is, and again after `lmpipe export --to hf` has written it anew; both times
`transformers` runs the folder. Prints the largest difference of a logit by family; exits with 1 when one is above 2e-5, or above
1e-4 for texts of 512 tokens.
"""
import argparse
import json
import pathlib
import random
import subprocess
import sys
import tempfile

import torch
import transformers
from transformers import (AlbertConfig, AutoModelForSequenceClassification, BertConfig, BertTokenizerFast, DistilBertConfig,
                          ElectraConfig, LongformerConfig, MobileBertConfig, ModernBertConfig, RobertaConfig, XLMRobertaConfig)

LETTERS = "abcdefghijklmnopqrstuvwxyz"
VOCABULARY = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *LETTERS, *("##" + c for c in LETTERS), *"0123456789.,!?'-", "the", "film", "##ing"]
TEXTS = ["", " ", "a", "the film is a film", "[PAD] the [SEP] film [MASK]", "Żółć, naïve café — ﬁn!", "電影很好看。", "🎬🎬 the 🎬", "\u202eright to left\u202c",
         "\x00\x01 controls", "x" * 300, "don't " * 40, "...---...", "the\nfilm\r\n\tis", "Ⅷ ½ ²", "عربي نص", "a\u0301 e\u0308"]


def configs(draw):
    """A config of each family, and how many tokens it takes."""
    heads, dim, layers = draw.choice([1, 3, 5]), draw.choice([2, 4, 6, 10]), draw.choice([1, 2, 4])
    hidden, words = heads * dim, len(VOCABULARY)
    common = dict(vocab_size=words, hidden_size=hidden, num_hidden_layers=layers, num_attention_heads=heads,
                  intermediate_size=draw.randint(5, 70), num_labels=draw.choice([2, 3, 7]), initializer_range=0.3, pad_token_id=0)
    act = draw.choice(["gelu", "gelu_new", "relu"])
    bert = common | dict(max_position_embeddings=512, type_vocab_size=draw.choice([1, 2]), hidden_act=act)
    behind = bert | dict(max_position_embeddings=513, layer_norm_eps=1e-5)
    yield BertConfig(**bert)
    yield DistilBertConfig(vocab_size=words, dim=hidden, n_layers=layers, n_heads=heads, hidden_dim=draw.randint(5, 70),
                           max_position_embeddings=512, num_labels=3, initializer_range=0.3, pad_token_id=0)
    yield RobertaConfig(**behind)
    yield XLMRobertaConfig(**behind)
    yield ElectraConfig(**bert, embedding_size=draw.choice([hidden, hidden + 3]))
    yield AlbertConfig(**bert, embedding_size=draw.randint(3, 20), num_hidden_groups=draw.choice([g for g in (1, 2, 4) if layers % g == 0]))
    yield MobileBertConfig(**bert | dict(hidden_size=hidden + 7), embedding_size=draw.randint(3, 20), intra_bottleneck_size=hidden,
                           num_feedforward_networks=draw.randint(1, 4), trigram_input=draw.random() < 0.7,
                           normalization_type=draw.choice(["no_norm", "layer_norm"]),
                           **dict(zip(("key_query_shared_bottleneck", "use_bottleneck_attention"),
                                      draw.choice([(True, False), (False, True), (True, True)]))))
    # Windows divide the widest one: `transformers` pads to that.
    widest = draw.choice([8, 16, 64])
    windows = [widest // draw.choice([1, 2, 4]) for _ in range(layers)]
    windows[0] = widest
    yield LongformerConfig(**behind | dict(max_position_embeddings=700), attention_window=windows, sep_token_id=3)
    yield ModernBertConfig(**common | dict(intermediate_size=draw.randint(5, 70), initializer_range=0.1), max_position_embeddings=700, cls_token_id=2,
                           bos_token_id=2, sep_token_id=3, eos_token_id=3, global_attn_every_n_layers=draw.choice([1, 2, 3]),
                           local_attention=2 * draw.randint(1, 20), classifier_pooling=draw.choice(["cls", "mean"]), reference_compile=False)


def differences(lmpipe, folder, texts, length):
    model = AutoModelForSequenceClassification.from_pretrained(folder, attn_implementation="eager").eval()
    tokenizer = BertTokenizerFast.from_pretrained(folder)
    lines = "".join(json.dumps({"text": text}) + "\n" for text in texts)
    command = [lmpipe, "predict", folder, "-", "--max-length", str(length)]
    ours = subprocess.run(command, input=lines, capture_output=True, text=True, encoding="utf-8", check=True).stdout.splitlines()
    for text, line in zip(texts, ours, strict=True):
        encoding = tokenizer(text, truncation=True, max_length=length, return_tensors="pt")
        if getattr(model.config, "type_vocab_size", 0) < 2:
            encoding.pop("token_type_ids", None)
        with torch.no_grad():
            logits = model(**encoding).logits[0]
        row = json.loads(line)["logits"]
        yield encoding["input_ids"].shape[1], max(abs(float(logit) - row[model.config.id2label[i]]) for i, logit in enumerate(logits))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--lmpipe", default="target/release/lmpipe")
    given = parser.parse_args()
    transformers.logging.set_verbosity_error()
    draw, worst, failed = random.Random(given.seed), {}, False
    for _ in range(given.rounds):
        for config in configs(draw):
            torch.manual_seed(draw.randrange(1 << 30))
            model = AutoModelForSequenceClassification.from_config(config, attn_implementation="eager").eval()
            texts = [*TEXTS, *("".join(draw.choices(LETTERS + "   .", k=draw.randint(1, 200))) for _ in range(8)), "the film " * 400]
            length = 600 if config.model_type in ("longformer", "modernbert") else 512
            with tempfile.TemporaryDirectory() as place:
                folder, again = f"{place}/model", f"{place}/again"
                model.save_pretrained(folder)
                (pathlib.Path(folder) / "vocab.txt").write_text("\n".join(VOCABULARY) + "\n", encoding="utf-8")
                BertTokenizerFast(f"{folder}/vocab.txt").save_pretrained(folder)
                written = subprocess.run([given.lmpipe, "export", folder, "--to", "hf", "-o", again], capture_output=True, text=True)
                if written.returncode:
                    raise SystemExit(f"{config.model_type}: {written.stderr}")
                for where in (folder, again):
                    for tokens, difference in differences(given.lmpipe, where, texts, length):
                        long = tokens >= 512
                        failed |= difference > (1e-4 if long else 2e-5)
                        worst[config.model_type, long] = max(difference, worst.get((config.model_type, long), 0.0))
    for (family, long), difference in worst.items():
        print(f"{family:12} {'512 tokens and more' if long else 'shorter texts':20} {difference:.1e}")
    sys.exit(failed)


if __name__ == "__main__":
    main()
