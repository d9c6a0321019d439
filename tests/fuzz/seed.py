"""Writes valid inputs of every target to `corpus/`, for a fuzzer to begin with."""
import pathlib
import shutil
import zipfile

HERE = pathlib.Path(__file__).parent
ROOT = HERE.parent.parent


def corpus(target):
    folder = HERE / "corpus" / target
    folder.mkdir(parents=True, exist_ok=True)
    return folder


for number, recipe in enumerate(sorted([*ROOT.glob("recipes/*.yaml"), *ROOT.glob("tests/data/recipes/*/*.yaml")])):
    shutil.copy(recipe, corpus("recipe") / f"{number}.yaml")
rows = "text,label,split\n" + "".join(f"\"some, text {n}\",{'ab'[n % 2]},{['train', 'test', 'validation'][n % 3]}\n" for n in range(9))
(corpus("rows") / "csv").write_bytes(b"\0" + rows.encode())
lines = "".join(f'{{"text": "some {n}", "label": "{"ab"[n % 2]}", "split": "train"}}\n' for n in range(9))
(corpus("rows") / "jsonl").write_bytes(b"\1" + lines.encode())
try:
    import pyarrow as arrow
    import pyarrow.parquet

    table = arrow.table({"text": ["a", "b", "c"], "label": ["x", "y", "x"], "split": ["train", "test", "validation"]})
    for compression in ("none", "snappy", "zstd"):
        sink = arrow.BufferOutputStream()
        pyarrow.parquet.write_table(table, sink, compression=compression)
        (corpus("rows") / f"parquet-{compression}").write_bytes(b"\2" + sink.getvalue().to_pybytes())
    sink = arrow.BufferOutputStream()
    with arrow.ipc.new_file(sink, table.schema) as writer:
        writer.write_table(table)
    (corpus("rows") / "arrow").write_bytes(b"\3" + sink.getvalue().to_pybytes())
except ImportError:
    print("without pyarrow there are no seeds of Parquet and Arrow")
for model in [*ROOT.glob("tests/data/models/*"), *ROOT.glob("tests/data/families/*"), *ROOT.glob("tests/data/formats/*")]:
    if model.is_dir():
        shutil.copy(model / "config.json", corpus("config") / f"{model.name}.json")
for model in ("tiny-classifier", "tiny-pruned", "tiny-old-names"):
    shutil.copy(ROOT / "tests/data/models" / model / "model.safetensors", corpus("safetensors") / model)
for name, method in (("stored", zipfile.ZIP_STORED), ("deflated", zipfile.ZIP_DEFLATED)):
    with zipfile.ZipFile(corpus("wheel") / name, "w", method) as wheel:
        wheel.writestr("model/config.json", "{}")
        wheel.writestr("model/1_Pooling/config.json", "{}" * 50)
        wheel.writestr("other/x.py", "pass")
