"""Makes the tiny LED checkpoints of this folder and what `transformers` computes and writes with them.

Run with torch, transformers and safetensors installed:  python make.py

`conditional` is a LEDForConditionalGeneration in safetensors, `bare` a LEDModel in a pickle with another activation, other heads
and a `generation_config.json` of its own. Weights are large, so that what is written is varied and no two tokens are nearly alike:
each text is written in f32 and in f64, and both must be the same.

`expected.safetensors` of each, in double precision, for text number <i>, whose first token is global:

  encoder_<i> [tokens, hidden]   the encoder's last hidden state
  decoder_<i> [len(TARGET), vocabulary]   the logits of a decoder that is given TARGET

`written.json` of each: the texts' ids, the target, and a list of settings of `generate` with what it wrote of each text.
"""

import json
import os
import shutil
import string

import torch
import transformers
from safetensors.torch import save_file
from transformers import GenerationConfig, LEDConfig, LEDForConditionalGeneration

HERE = os.path.dirname(os.path.abspath(__file__))
VERSIONS = {"versions": f"torch {torch.__version__}, transformers {transformers.__version__}"}
VOCABULARY, LENGTHS, TARGET = 61, [5, 23, 37, 64], [2, 0, 17, 33, 17, 59, 8]
COMMON = dict(vocab_size=VOCABULARY, d_model=18, encoder_layers=2, decoder_layers=2, encoder_ffn_dim=30, decoder_ffn_dim=26,
              max_encoder_position_embeddings=72, max_decoder_position_embeddings=32, dropout=0.0)
SETTINGS = [
    dict(max_length=24),
    dict(max_length=24, no_repeat_ngram_size=2),
    dict(max_length=20, min_length=15, no_repeat_ngram_size=1),
    dict(num_beams=1, max_length=33),
    dict(num_beams=1, max_length=12, no_repeat_ngram_size=1),
    dict(num_beams=4, max_length=24),
    dict(num_beams=2, max_length=24, no_repeat_ngram_size=1, length_penalty=0.5),
    dict(num_beams=3, max_length=24, length_penalty=2.0, early_stopping=True),
    dict(num_beams=4, max_length=24, length_penalty=0.0, early_stopping="never"),
    dict(num_beams=4, max_length=24, length_penalty=1.5, early_stopping="never", no_repeat_ngram_size=2),
    dict(num_beams=5, max_length=20, length_penalty=-1.0),
    dict(num_beams=4, max_length=30, min_length=12, no_repeat_ngram_size=3, early_stopping=True, length_penalty=2.0),
    dict(num_beams=6, max_length=8, min_length=3),
]
CHECKPOINTS = {
    "conditional": (dict(encoder_attention_heads=3, decoder_attention_heads=2, attention_window=[8, 4]), {}, 4),
    "bare": (
        dict(encoder_attention_heads=2, decoder_attention_heads=3, attention_window=6, activation_function="relu"),
        dict(forced_bos_token_id=0, forced_eos_token_id=2, eos_token_id=[2, 5], no_repeat_ngram_size=3, num_beams=2),
        2,
    ),
}


def randomize(model, is_bare):
    for name, values in model.named_parameters():
        values.data.normal_(0.0, 0.35 if values.dim() == 2 else 0.2)
        if "norm" in name and name.endswith("weight"):
            values.data += 1.0
        if "embed_tokens" in name or "shared" in name:
            values.data *= 1.6
    if not is_bare:
        model.final_logits_bias.normal_(0.0, 0.3)
        model.final_logits_bias[0, 2] += 5.0


def tokenizer(folder):
    """Bytes and no pairs: as many tokens as the model has."""
    words = ["<s>", "<pad>", "</s>", "<unk>", "<mask>", "\u0120", *".:!", *string.ascii_letters]
    files = {"vocab.json": json.dumps({word: i for i, word in enumerate(words)}), "merges.txt": "#version: 0.2\n",
             "tokenizer_config.json": json.dumps({"tokenizer_class": "LEDTokenizer"})}
    for name, text in files.items():
        with open(os.path.join(folder, name), "w", encoding="utf-8") as file:
            file.write(text)


def written(model, ids, settings):
    mask = torch.zeros_like(ids)
    mask[:, 0] = 1
    return model.generate(ids, attention_mask=torch.ones_like(ids), global_attention_mask=mask, **settings)[0].tolist()


def make(name, options, generation, seed):
    folder, is_bare = os.path.join(HERE, name), name == "bare"
    shutil.rmtree(folder, ignore_errors=True)
    os.makedirs(folder)
    torch.manual_seed(seed)
    torch.set_num_threads(1)
    model = LEDForConditionalGeneration(LEDConfig(**COMMON | options)).eval()
    randomize(model, is_bare)
    if is_bare:
        model.led.save_pretrained(folder, safe_serialization=False)
        config = dict(bos_token_id=0, pad_token_id=1, eos_token_id=2, decoder_start_token_id=2) | generation
        GenerationConfig(**config).save_pretrained(folder)
    else:
        model.save_pretrained(folder)
    tokenizer(folder)
    # As it is read from the folder.
    model = LEDForConditionalGeneration.from_pretrained(folder).eval()
    texts = [torch.tensor([[0, *torch.randint(3, VOCABULARY, (length - 2,)).tolist(), 2]]) for length in LENGTHS]
    found = [dict(settings=settings, written=[written(model, ids, settings) for ids in texts]) for settings in SETTINGS]
    # Its masks are made in the default type.
    torch.set_default_dtype(torch.float64)
    model = model.double()
    for case in found:
        again = [written(model, ids, case["settings"]) for ids in texts]
        if again != case["written"]:
            raise SystemExit(f"{name}: {case['settings']} is too near to another text")
    tensors = {}
    for i, ids in enumerate(texts):
        mask = torch.zeros_like(ids)
        mask[:, 0] = 1
        with torch.no_grad():
            out = model(input_ids=ids, global_attention_mask=mask, decoder_input_ids=torch.tensor([TARGET]))
        tensors[f"encoder_{i}"] = out.encoder_last_hidden_state[0].float().contiguous()
        tensors[f"decoder_{i}"] = out.logits[0].float().contiguous()
    torch.set_default_dtype(torch.float32)
    save_file(tensors, os.path.join(folder, "expected.safetensors"), metadata=VERSIONS)
    lines = ",\n".join(f"  {json.dumps(case)}" for case in found)
    text = f'{{"texts": {json.dumps([ids[0].tolist() for ids in texts])},\n"target": {TARGET},\n"cases": [\n{lines}\n]}}\n'
    with open(os.path.join(folder, "written.json"), "w", encoding="utf-8") as file:
        file.write(text)
    for case in found:
        print(name, case["settings"], [len(tokens) for tokens in case["written"]], len({tuple(t) for t in case["written"]}))


if __name__ == "__main__":
    transformers.logging.set_verbosity_error()
    for name, arguments in CHECKPOINTS.items():
        make(name, *arguments)
