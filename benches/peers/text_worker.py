"""A peer in a process of its own: `text_worker.py ENGINE ROWS OUT SETTINGS` reads rows (Parquet), does its work, writes what came out
(Arrow) and prints seconds and processor seconds as JSON.

What an engine loads once, libraries, tables, models, is loaded before the clock starts; reading and writing are in its time.
"""
import json
import os
import random
import re
import resource
import string
import sys
import time

# lmpipe's punctuation: ASCII's, and the blocks of Latin-1, general, CJK and full-width marks. The apostrophes go by a rule of their own.
APOSTROPHES = "'\u2019"
MARKS = string.punctuation + "¡§«¶·»¿" + "".join(
    chr(code)
    for first, last in (
        (0x2010, 0x2027), (0x2030, 0x205E), (0x3001, 0x3003), (0x3008, 0x3011), (0x3014, 0x301F), (0x30FB, 0x30FB),
        (0xFF01, 0xFF0F), (0xFF1A, 0xFF20), (0xFF3B, 0xFF40), (0xFF5B, 0xFF65),
    )
    for code in range(first, last + 1)
)
MARKS = "".join(mark for mark in MARKS if mark not in APOSTROPHES)
STRAY = re.compile(f"(?<![^\\W\\d_])[{APOSTROPHES}]|[{APOSTROPHES}](?![^\\W\\d_])")


def stop_words():
    from nltk.corpus import stopwords

    words = stopwords.words("english")
    # `we’ve` is `we've`; for lmpipe it is.
    return words + [word.replace("'", "\u2019") for word in words if "'" in word]


def on_texts(work):
    """An engine that takes a list of texts and gives one."""

    def run(rows, out):
        import pyarrow
        import pyarrow.parquet

        texts = pyarrow.parquet.read_table(rows, columns=["text"])["text"].to_pylist()
        write(out, {"text": work(texts)})

    return run


def write(out, columns):
    import pyarrow

    table = pyarrow.table(columns)
    with pyarrow.OSFile(out, "wb") as file, pyarrow.ipc.new_file(file, table.schema) as writer:
        writer.write_table(table, max_chunksize=8_192)


# Words: small letters, no punctuation, no stop words, one space in between.


def tutorial(word_tokenize):
    """What every tutorial of NLTK has."""
    stops, marks = set(stop_words()), set(string.punctuation)
    word_tokenize("warm")

    def clean(text):
        return " ".join(word for word in word_tokenize(text.lower()) if word not in stops and word not in marks)

    return on_texts(lambda texts: [clean(text) for text in texts])


def nltk_words(_):
    from nltk.tokenize import word_tokenize

    return tutorial(word_tokenize)


def fastnltk_words(_):
    from fastnltk.tokenize import word_tokenize

    return tutorial(word_tokenize)


def cleaner():
    """The same work as lmpipe's, with nothing but a regex, `translate`, `split` and NLTK's list."""
    stops, gone, stray = set(stop_words()), str.maketrans("", "", MARKS), STRAY

    def clean(text):
        return " ".join(word for word in stray.sub("", text.lower()).translate(gone).split() if word not in stops)

    return clean


def python_words(_):
    clean = cleaner()
    return on_texts(lambda texts: [clean(text) for text in texts])


def datasets_words(settings):
    import datasets

    datasets.disable_progress_bars()
    clean = cleaner()

    def batch(rows):
        return {"text": [clean(text) for text in rows["text"]]}

    def run(rows, out):
        table = datasets.Dataset.from_parquet(rows, cache_dir=settings["scratch"])
        cache = os.path.join(settings["scratch"], "mapped.arrow")
        table = table.map(batch, batched=True, num_proc=settings["cores"], cache_file_name=cache, load_from_cache_file=False)
        # What `map` leaves is a dataset on disk; it is read after the clock has stopped.
        return lambda: write(out, {"text": table["text"][:]})

    return run


def polars_words(settings):
    """Expressions alone. Its regular expressions look neither ahead nor behind: an apostrophe stands between word characters or
    goes, and then it goes beside a digit, which is one of them."""
    import polars

    stops = stop_words()
    text = polars.col("text").str.to_lowercase()
    text = text.str.replace_all(rf"\B[{APOSTROPHES}]|[{APOSTROPHES}]\B", "")
    text = text.str.replace_all(rf"([\d_])[{APOSTROPHES}]|[{APOSTROPHES}]([\d_])", "${1}${2}").str.replace_all(f"[{re.escape(MARKS)}]", "")
    if settings["by"] == "regex":
        # Each word between two spaces of its own, so that a word that goes takes none of its neighbour's.
        text = polars.concat_str(polars.lit(" "), text.str.replace_all(r"\s+", "  "), polars.lit(" "))
        text = text.str.replace_all(f" (?:{'|'.join(map(re.escape, stops))}) ", "")
        text = text.str.replace_all(r" +", " ").str.strip_chars()
    else:
        words = text.str.extract_all(r"\S+")
        text = words.list.filter(~polars.element().is_in(stops)).list.join(" ")

    def run(rows, out):
        polars.scan_parquet(rows).select("id", "label", "split", text.alias("text")).sink_ipc(out, compression="uncompressed")

    return run


# EDA: a tenth of the words inserted, deleted, swapped and replaced by a synonym.


def nlpaug_eda(_):
    """nlpaug inserts no words without word vectors or a model: it deletes, swaps and replaces."""
    import nlpaug.augmenter.word as word

    random.seed(0)
    stops = stop_words()
    steps = [
        word.RandomWordAug(action="delete", aug_p=0.1, aug_max=None, stopwords=stops),
        word.RandomWordAug(action="swap", aug_p=0.1, aug_max=None),
        word.SynonymAug(aug_src="wordnet", aug_p=0.1, aug_max=None, stopwords=stops),
    ]

    def work(texts):
        for step in steps:
            texts = step.augment(texts)
        return texts

    work(["The tagger and WordNet are read when they are first asked for."])
    return on_texts(work)


def textaugment_eda(_):
    """EDA as its authors wrote it, in textaugment's copy; the package's own start wants vectors and translators, its file does not."""
    import importlib.util

    import nltk

    # The data are there.
    nltk.download = lambda *_, **__: True
    folder = importlib.util.find_spec("textaugment").submodule_search_locations[0]
    spec = importlib.util.spec_from_file_location("textaugment_eda", os.path.join(folder, "eda.py"))
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    eda = module.EDA(random_state=1)

    def augment(text):
        count = max(1, int(0.1 * len(text.split())))
        try:
            text = eda.random_insertion(text, count)
            text = eda.random_deletion(text, 0.1)
            text = eda.random_swap(text, count)
            return eda.synonym_replacement(text, count)
        except (TypeError, ValueError):
            # It fails on texts of stop words alone.
            return text

    augment("WordNet is read when it is first asked for.")
    return on_texts(lambda texts: [augment(text) for text in texts])


# Masked-LM replacement: a tenth of the words, each drawn from the ten likeliest.


def nlpaug_fill(settings):
    import nlpaug.augmenter.word as word
    import numpy
    import torch

    random.seed(0), numpy.random.seed(0)
    torch.set_num_threads(settings["threads"])
    step = word.ContextualWordEmbsAug(
        model_path=settings["model"], model_type="bert", action="substitute", aug_p=0.1, aug_max=None, top_k=10, device="cpu",
        batch_size=32, stopwords=stop_words(),
    )
    step.augment(["The first call is slower than the others."])
    return on_texts(step.augment)


# Near-duplicates: 128 permutations, shingles of three words, similarity 0.8. What comes out are the ids of the rows that stay.


def datasketch_near(_):
    from datasketch import MinHash, MinHashLSH

    from text_rows import shingles

    def run(texts):
        index, sketches, kept = MinHashLSH(threshold=0.8, num_perm=128), {}, []
        encoded = ([shingle.encode() for shingle in shingles(text)] for text in texts)
        for row, sketch in enumerate(MinHash.generator(encoded, num_perm=128)):
            if any(sketch.jaccard(sketches[other]) >= 0.8 for other in index.query(sketch)):
                continue
            index.insert(row, sketch)
            sketches[row] = sketch
            kept.append(str(row))
        return kept

    return on_ids(run)


def rensa_near(_):
    from rensa import RMinHashDeduplicator

    from text_rows import shingles

    def run(texts):
        index = RMinHashDeduplicator(threshold=0.8, num_perm=128, use_lsh=True)
        keeps = index.add_pairs((str(row), list(shingles(text))) for row, text in enumerate(texts))
        return [str(row) for row, keep in enumerate(keeps) if keep]

    return on_ids(run)


def on_ids(work):
    def run(rows, out):
        import pyarrow.parquet

        table = pyarrow.parquet.read_table(rows)
        kept = work(table["text"].to_pylist())
        write(out, table.take(list(map(int, kept))).to_pydict())

    return run


def text_dedup_near(settings):
    import datasets
    from text_dedup import minhash

    datasets.disable_progress_bars()

    def run(rows, out):
        folder = os.path.join(settings["scratch"], "kept")
        wishes = {
            "path": "parquet", "data_files": rows, "split": "train", "cache_dir": settings["scratch"], "output": folder, "column": "text",
            "num_proc": settings["cores"], "ngram": 3, "min_length": 1, "num_perm": 128, "threshold": 0.8, "hash_func": "xxh3", "hash_bits": 32,
        }
        arguments = [part for name, value in wishes.items() for part in (f"--{name}", str(value))]
        minhash.main.main(args=arguments, standalone_mode=False)
        return lambda: write(out, datasets.load_from_disk(folder).to_dict())

    return run


ENGINES = {
    "words/nltk": nltk_words,
    "words/fastnltk": fastnltk_words,
    "words/python": python_words,
    "words/datasets": datasets_words,
    "words/polars": polars_words,
    "eda/nlpaug": nlpaug_eda,
    "eda/textaugment": textaugment_eda,
    "fill/nlpaug": nlpaug_fill,
    "minhash/datasketch": datasketch_near,
    "minhash/rensa": rensa_near,
    "minhash/text-dedup": text_dedup_near,
}


def processor():
    """Of this process and of those that it has waited for."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(usage.ru_utime + usage.ru_stime for usage in used)


if __name__ == "__main__":
    engine, rows, out, settings = sys.argv[1:5]
    import pyarrow.parquet

    run = ENGINES[engine](json.loads(settings))
    # The first file that is read takes a quarter of a second more.
    pyarrow.parquet.read_table(rows)
    start, before = time.perf_counter(), processor()
    later = run(rows, out)
    seconds, used = time.perf_counter() - start, processor() - before
    if later:
        later()
    print(json.dumps({"seconds": seconds, "processor": used}))
