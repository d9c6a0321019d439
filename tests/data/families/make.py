"""Makes the tiny checkpoints of this folder, one or more of every encoder family, and what `transformers` computes with them.

Run with torch, transformers and safetensors installed:  python make.py [name ...]
Sizes are odd, as in ../models: 5 heads of 6 (ModernBERT: 3 heads of 6), a feed-forward net of 50 (MobileBERT with bottlenecks:
18), 3 layers. Each row is run alone, with an attention mask of ones, in double precision, so that rounding hides nothing in
what is written. `expected.safetensors` has the versions it was made with in its metadata and holds, row after row:

  input_ids [tokens], lengths [rows]; type_ids [tokens] only where the family has more than one type
  globals [tokens]            the global attention mask, where one is given (longformer-global, longformer-tokens)
  hidden_<layer> [tokens, hidden]   0 is what enters the first layer: after the embeddings' norm and, in ALBERT and ELECTRA,
                              after the projection to the hidden size
  last_hidden_state [tokens, hidden]   the last hidden_<layer>, except in ModernBERT: there this one alone is after a final norm
  attention_<layer> [sum of heads x len x len]   not for Longformer, which gives windows instead of squares
  pooled [rows, hidden]       where the model has a pooler
  logits [rows, labels], [tokens, labels] or [tokens, vocabulary]

Longformer pads a row to a multiple of its widest window, which every other window has to divide; the padding is cut off again.
longformer-classifier gives no mask: `transformers` then makes the first token global. No row holds the padding id, except the
last one of roberta-encoder: position ids come from the token ids, so a padding id gets the position `pad_token_id`, and the
token after it goes on as if it had not been there.
"""

import os
import shutil
import sys

import torch
import transformers
from safetensors.torch import load_file, save_file
from transformers import (AlbertConfig, AutoModel, AutoModelForMaskedLM, AutoModelForSequenceClassification,
                          AutoModelForTokenClassification, BertConfig, DistilBertConfig, ElectraConfig, LongformerConfig, MobileBertConfig, ModernBertConfig, RobertaConfig, XLMRobertaConfig)

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, os.pardir, "models"))
from make import LENGTHS, SIZES, randomize  # noqa: E402

LONG = LENGTHS + [37]
VERSIONS = {"versions": f"torch {torch.__version__}, transformers {transformers.__version__}"}
CLASSIFIER, MASKED_LM, ENCODER = AutoModelForSequenceClassification, AutoModelForMaskedLM, AutoModel
TOKENS = AutoModelForTokenClassification


def roberta(cls=RobertaConfig, positions=24, **options):
    """Positions count from `pad_token_id + 1`, so the table has two rows more than a row has tokens."""
    special = dict(pad_token_id=1, bos_token_id=0, eos_token_id=2, layer_norm_eps=1e-5)
    return cls(**SIZES | special | dict(type_vocab_size=1, max_position_embeddings=positions + 2) | options)


def xlm_roberta(**options):
    return roberta(XLMRobertaConfig, **options)


def longformer(**options):
    return roberta(LongformerConfig, positions=40, attention_window=[4, 12, 6], sep_token_id=2, **options)


def distilbert(**options):
    return DistilBertConfig(vocab_size=SIZES["vocab_size"], dim=30, n_layers=3, n_heads=5, hidden_dim=50,
                            max_position_embeddings=24, **options)


def bert(**options):
    return BertConfig(**SIZES | options)


def electra(**options):
    return ElectraConfig(**SIZES | options)


def albert(**options):
    return AlbertConfig(**SIZES | dict(embedding_size=14, bos_token_id=2, eos_token_id=3) | options)


def mobilebert(**options):
    """The large epsilon shows which norms take it: that of the embeddings and that of the last feed-forward net do not."""
    sizes = dict(hidden_size=38, embedding_size=14, intra_bottleneck_size=30, intermediate_size=18, num_feedforward_networks=3)
    return MobileBertConfig(**SIZES | sizes | dict(layer_norm_eps=0.01) | options)


def modernbert(**options):
    sizes = dict(vocab_size=SIZES["vocab_size"], hidden_size=18, num_hidden_layers=3, num_attention_heads=3,
                 intermediate_size=50, max_position_embeddings=40)
    special = dict(pad_token_id=0, bos_token_id=1, cls_token_id=1, eos_token_id=2, sep_token_id=2)
    attention = dict(global_attn_every_n_layers=2, local_attention=6, global_rope_theta=1600.0, local_rope_theta=100.0)
    return ModernBertConfig(**sizes, **special, **attention, reference_compile=False, **options)


def draw(length, config, generator):
    """Token ids of a row, without the padding id."""
    ids = torch.randint(0, config.vocab_size - 1, (length,), generator=generator)
    return ids + (ids >= config.pad_token_id)


def padding_inside(config, generator):
    """A row with the padding id in its middle."""
    ids = draw(9, config, generator)
    ids[4] = config.pad_token_id
    return ids


def first_and_fourth(length):
    return torch.tensor([int(i in (0, 3)) for i in range(length)])


def batch(config, padding=False, global_attention=False):
    """The arguments of every row's call."""
    generator = torch.Generator().manual_seed(1)
    lengths = LONG if config.model_type in ("longformer", "modernbert") else LENGTHS
    rows = [draw(n, config, generator) for n in lengths]
    if padding:
        rows.append(padding_inside(config, generator))
    calls = []
    for ids in rows:
        call = {"input_ids": ids, "attention_mask": torch.ones_like(ids)}
        if getattr(config, "type_vocab_size", 1) > 1:
            call["token_type_ids"] = (torch.arange(len(ids)) >= len(ids) // 2 + 1).long()
        if global_attention:
            call["global_attention_mask"] = first_and_fourth(len(ids))
        calls.append({key: value[None] for key, value in call.items()})
    return calls


def given(calls):
    """What the rows hold, one after the other."""
    names = {"input_ids": "input_ids", "token_type_ids": "type_ids", "global_attention_mask": "globals"}
    out = {"lengths": torch.tensor([call["input_ids"].shape[1] for call in calls]).int()}
    for key, name in names.items():
        if key in calls[0]:
            out[name] = torch.cat([call[key][0] for call in calls]).int()
    return out


def run(model, call):
    """What one row gives: of the model under the head, and of the head."""
    bodies = []
    hook = model.base_model.register_forward_hook(lambda module, inputs, output: bodies.append(output))
    squares = model.config.model_type != "longformer"
    with torch.no_grad():
        y = model(**call, output_hidden_states=True, output_attentions=squares)
    hook.remove()
    out = {f"hidden_{i}": x[0] for i, x in enumerate(y.hidden_states)}
    out["last_hidden_state"] = bodies[0].last_hidden_state[0]
    if squares:
        out |= {f"attention_{i}": x.flatten() for i, x in enumerate(y.attentions)}
    if getattr(bodies[0], "pooler_output", None) is not None:
        out["pooled"] = bodies[0].pooler_output
    if hasattr(y, "logits"):
        out["logits"] = y.logits[0] if y.logits.dim() == 3 else y.logits
    return out


def expected(model, calls):
    model.eval().double()
    rows = [run(model, call) for call in calls]
    return given(calls) | {name: torch.cat([row[name] for row in rows]).float() for name in rows[0]}


def check(folder, auto, calls):
    """The folder, opened again, gives what was written."""
    again = expected(auto.from_pretrained(folder, attn_implementation="eager"), calls)
    written = load_file(os.path.join(folder, "expected.safetensors"))
    assert again.keys() == written.keys(), folder
    for name, value in written.items():
        assert (again[name] - value).abs().max() <= 1e-6, (folder, name)


def make(name, auto, config, seed, **rows):
    model = auto.from_config(config, attn_implementation="eager")
    randomize(model, seed)
    folder = os.path.join(HERE, name)
    shutil.rmtree(folder, ignore_errors=True)
    model.save_pretrained(folder)
    calls = batch(config, **rows)
    save_file(expected(model, calls), os.path.join(folder, "expected.safetensors"), metadata=VERSIONS)
    check(folder, auto, calls)


MODELS = {
    "roberta-classifier": (CLASSIFIER, roberta(num_labels=3), 11),
    "roberta-masked-lm": (MASKED_LM, roberta(), 12),
    "roberta-encoder": (ENCODER, roberta(), 13, dict(padding=True)),
    "xlm-roberta-classifier": (CLASSIFIER, xlm_roberta(num_labels=3), 14),
    "longformer-classifier": (CLASSIFIER, longformer(num_labels=3), 15),
    "longformer-masked-lm": (MASKED_LM, longformer(), 16),
    "longformer-encoder": (ENCODER, longformer(), 17),
    "longformer-global": (ENCODER, longformer(), 18, dict(global_attention=True)),
    "distilbert-classifier": (CLASSIFIER, distilbert(num_labels=3), 19),
    "distilbert-masked-lm": (MASKED_LM, distilbert(), 20),
    "electra-classifier": (CLASSIFIER, electra(embedding_size=30, num_labels=3), 21),
    "electra-masked-lm": (MASKED_LM, electra(embedding_size=14), 22),
    "electra-encoder": (ENCODER, electra(embedding_size=14), 23),
    "albert-classifier": (CLASSIFIER, albert(num_labels=3), 24),
    "albert-masked-lm": (MASKED_LM, albert(), 25),
    "mobilebert-classifier": (CLASSIFIER, mobilebert(num_labels=3), 26),
    "mobilebert-masked-lm": (MASKED_LM, mobilebert(), 27),
    "mobilebert-layer-norm": (CLASSIFIER, mobilebert(normalization_type="layer_norm", use_bottleneck_attention=True,
                                                     num_labels=3), 28),
    "mobilebert-no-bottleneck": (CLASSIFIER, mobilebert(normalization_type="layer_norm", use_bottleneck=False, hidden_size=30,
                                                        embedding_size=30, intermediate_size=50, num_feedforward_networks=1,
                                                        trigram_input=False, classifier_activation=False, num_labels=3), 29),
    "modernbert-classifier-cls": (CLASSIFIER, modernbert(classifier_pooling="cls", num_labels=3), 30),
    "modernbert-classifier-mean": (CLASSIFIER, modernbert(classifier_pooling="mean", num_labels=3), 31),
    "modernbert-masked-lm": (MASKED_LM, modernbert(), 32),
    "bert-tokens": (TOKENS, bert(num_labels=2), 33),
    "longformer-tokens": (TOKENS, longformer(num_labels=2), 34, dict(global_attention=True)),
    "modernbert-tokens": (TOKENS, modernbert(num_labels=2), 35),
    "roberta-tokens": (TOKENS, roberta(num_labels=2), 36),
}

if __name__ == "__main__":
    for name in sys.argv[1:] or MODELS:
        auto, config, seed, *rows = MODELS[name]
        make(name, auto, config, seed, **rows[0] if rows else {})
        print(name)
