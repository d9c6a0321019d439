"""LED checkpoints of random sizes, windows and weights: what `lmpipe summarize` writes of odd texts beside `transformers`.

    pip install torch transformers
    python tests/reference/led.py [--seed 7] [--rounds 3] [--lmpipe target/release/lmpipe]

Each checkpoint has a tokenizer, special tokens and settings of its own, in `generation_config.json`. Prints how many texts were the
same; exits with 1 when one was not. Weights are large, so that nearly equal tokens are rare: a text that differs is written again in
double precision, and counts as the same where that is what lmpipe wrote.
"""
import argparse
import json
import pathlib
import random
import string
import subprocess
import sys
import tempfile

import torch
import transformers
from transformers import GenerationConfig, LEDConfig, LEDForConditionalGeneration, RobertaTokenizerFast

WORDS = ["<s>", "<pad>", "</s>", "<unk>", "<mask>", "\u0120", *string.punctuation, *string.digits, *string.ascii_letters]
TEXTS = ["", "a", "The end.", "routers forward packets by labels; " * 9, "x" * 90, "A, b & c? (No!) " * 20, "0 1 2 3 " * 60]


def settings(draw):
    beams = draw.choice([1, 1, 2, 3, 4, 6])
    # 20 is what `transformers` takes for no setting.
    found = dict(max_length=draw.choice([*range(5, 20), *range(21, 41)]), min_length=draw.choice([0, 0, 4, 5]), no_repeat_ngram_size=draw.choice([0, 0, 1, 2, 3]), num_beams=beams)
    if beams > 1:
        found |= dict(length_penalty=draw.choice([1.0, 2.0, 0.0, -1.0, 0.7]), early_stopping=draw.choice([True, False, "never"]))
    return found


def checkpoint(draw, folder):
    dim = draw.choice([2, 3, 4]) * 12
    # `transformers` has no windows of 2, and pads to the widest.
    widest, layers = draw.choice([8, 16]), draw.choice([1, 2, 3])
    windows = [widest // draw.choice([1, 2]) for _ in range(layers)]
    windows[0] = widest
    config = LEDConfig(
        vocab_size=len(WORDS) + draw.choice([0, 3]), d_model=dim, encoder_layers=layers, decoder_layers=draw.choice([1, 2]),
        encoder_attention_heads=draw.choice([1, 2, 3, 4]), decoder_attention_heads=draw.choice([1, 2, 3, 4]),
        encoder_ffn_dim=draw.randint(5, 60), decoder_ffn_dim=draw.randint(5, 60), attention_window=windows,
        max_encoder_position_embeddings=16 * draw.randint(8, 12), max_decoder_position_embeddings=40,
        activation_function=draw.choice(["gelu", "relu", "gelu_new"]))
    torch.manual_seed(draw.randrange(1 << 30))
    model = LEDForConditionalGeneration(config).eval()
    for name, values in model.named_parameters():
        values.data.normal_(0.0, 0.35 if values.dim() == 2 else 0.2)
        if "norm" in name and name.endswith("weight"):
            values.data += 1.0
    model.led.shared.weight.data *= 1.6
    model.final_logits_bias.normal_(0.0, 0.3)
    model.final_logits_bias[0, 2] += draw.uniform(0.0, 8.0)
    special = dict(bos_token_id=0, pad_token_id=1, eos_token_id=draw.choice([2, [2, 9]]), decoder_start_token_id=2)
    forced = dict(forced_bos_token_id=draw.choice([None, 0]), forced_eos_token_id=draw.choice([None, 2]))
    model.generation_config = GenerationConfig(**special, **forced, **settings(draw))
    model.save_pretrained(folder)
    place = pathlib.Path(folder)
    (place / "vocab.json").write_text(json.dumps({word: i for i, word in enumerate(WORDS)}), encoding="utf-8")
    (place / "merges.txt").write_text("#version: 0.2\n", encoding="utf-8")
    (place / "tokenizer_config.json").write_text(json.dumps({"tokenizer_class": "LEDTokenizer"}), encoding="utf-8")
    return RobertaTokenizerFast(str(place / "vocab.json"), str(place / "merges.txt"))


def theirs(model, tokenizer, text):
    ids = tokenizer(text, truncation=True, max_length=model.config.max_encoder_position_embeddings, return_tensors="pt").input_ids
    mask = torch.zeros_like(ids)
    mask[:, 0] = 1
    tokens = model.generate(ids, attention_mask=torch.ones_like(ids), global_attention_mask=mask)[0]
    return tokenizer.decode(tokens, skip_special_tokens=True, clean_up_tokenization_spaces=False), len(tokens) - 1


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--lmpipe", default="target/release/lmpipe")
    given = parser.parse_args()
    transformers.logging.set_verbosity_error()
    torch.set_num_threads(1)
    draw, same, near, total = random.Random(given.seed), 0, 0, 0
    for _ in range(given.rounds):
        with tempfile.TemporaryDirectory() as place:
            folder = f"{place}/model"
            tokenizer = checkpoint(draw, folder)
            files = []
            for i, text in enumerate(TEXTS):
                files.append(f"{place}/{i}.txt")
                pathlib.Path(files[-1]).write_text(text, encoding="utf-8")
            command = [given.lmpipe, "summarize", folder, *files, "--format", "json"]
            ran = subprocess.run(command, capture_output=True, text=True, encoding="utf-8")
            if ran.returncode:
                raise SystemExit(ran.stderr)
            ours = [json.loads(line) for line in ran.stdout.splitlines()]
            model = LEDForConditionalGeneration.from_pretrained(folder).eval()
            for text, row in zip(TEXTS, ours, strict=True):
                total += 1
                found = (row["summary"], row["tokens"]["written"])
                if found == theirs(model, tokenizer, text):
                    same += 1
                    continue
                torch.set_default_dtype(torch.float64)
                exact = theirs(LEDForConditionalGeneration.from_pretrained(folder).double().eval(), tokenizer, text)
                torch.set_default_dtype(torch.float32)
                near += found == exact
                print(f"{text[:20]!r}: {found} in lmpipe, {exact} in double precision; {model.generation_config.to_diff_dict()}")
    print(f"{same} of {total} texts are the same, {near} more in double precision")
    sys.exit(same + near < total)


if __name__ == "__main__":
    main()
