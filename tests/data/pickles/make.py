"""Makes the pickles of this folder, small state dicts as `torch.save` writes them, and what is in them.

Run with torch, transformers and safetensors installed:  python make.py
`expected.safetensors` has the tensors of all files as f32, and the versions it was made with in its metadata.

  zip.bin      the form of torch >= 1.6: every type that is read, views of many kinds, two tensors with one storage
  legacy.bin   the same as torch < 1.6 wrote it
  nested.bin   a training checkpoint: the state dict under `state_dict`, parameters, and what else there is
  evil.bin     a pickle that would run a command
  model/       one model as `save_pretrained` writes it: in one file (`whole`), as pickle (`pickle`), and in several files of
               both kinds (`shards`, `pickle-shards`)
"""

import collections
import os

import torch
import transformers
from safetensors.torch import save_file
from transformers import BertConfig, BertForSequenceClassification

HERE = os.path.dirname(os.path.abspath(__file__))


def tensors():
    torch.manual_seed(7)
    base = torch.randn(6, 8)
    state = collections.OrderedDict(
        f32=torch.randn(3, 5), f16=torch.randn(4, 3).half(), bf16=torch.randn(2, 7).bfloat16(), f64=torch.randn(5).double(),
        i64=torch.arange(9).expand(1, -1), scalar=torch.tensor(2.5), empty=torch.zeros(0, 4),
        whole=base, tied=base, transposed=base.t(), rows=base[1:5:2], columns=base[:, 3:6], every_third=base.flatten()[2::3],
        permuted=torch.randn(2, 3, 4).permute(2, 0, 1), half_columns=torch.randn(4, 6).half().t()[1:4])
    # As `Module.state_dict` has it: an attribute beside the content.
    state._metadata = {"": {"version": 1}}
    return state


class Evil:
    def __reduce__(self):
        return os.system, ("touch executed",)


def main():
    state = tensors()
    torch.save(state, os.path.join(HERE, "zip.bin"))
    torch.save(state, os.path.join(HERE, "legacy.bin"), _use_new_zipfile_serialization=False)
    parameters = {name: torch.nn.Parameter(value, requires_grad=False) for name, value in state.items()}
    torch.save({"epoch": 3, "loss": 0.25, "state_dict": parameters, "notes": ["a", None, True]}, os.path.join(HERE, "nested.bin"))
    torch.save({"weight": torch.ones(2), "extra": Evil()}, os.path.join(HERE, "evil.bin"))
    versions = f"torch {torch.__version__}, transformers {transformers.__version__}"
    expected = {name: value.float().contiguous().clone() for name, value in state.items() if name != "i64"}
    save_file(expected, os.path.join(HERE, "expected.safetensors"), metadata={"versions": versions})
    config = BertConfig(vocab_size=20, hidden_size=8, num_hidden_layers=2, num_attention_heads=2, intermediate_size=12,
                        max_position_embeddings=10)
    model = BertForSequenceClassification(config)
    for name, options in [("whole", {}), ("pickle", dict(safe_serialization=False)), ("shards", dict(max_shard_size="4KB")),
                          ("pickle-shards", dict(safe_serialization=False, max_shard_size="4KB"))]:
        model.save_pretrained(os.path.join(HERE, "model", name), **options)


if __name__ == "__main__":
    main()
