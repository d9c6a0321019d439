"""Makes goldens.json and porter.txt: what rouge-score 0.1.2 says of pairs of texts, and NLTK 3.10.4 of words.

Run with them and pyarrow installed:  python make.py
Both files say the versions they were made with.

goldens.json has, for each pair, precision, recall and F1 of the four measures, without a stemmer (`words`) and with it
(`stems`), and of ROUGE-Lsum once more where each sentence has a line of its own. Pairs with the name of an RFC are
portions, unmodified, of the IETF's document of that number: its abstract, and the beginning of its introduction.

porter.txt has words of the datasets of this repository and their stems: some for each way through the stemmer.
"""

import collections
import hashlib
import importlib.metadata
import json
import pathlib
import random
import re

import pyarrow.parquet
from nltk.stem.porter import PorterStemmer
from rouge_score.rouge_scorer import RougeScorer

HERE = pathlib.Path(__file__).parent
DATASETS = HERE.parents[2] / "datasets"
VERSIONS = ", ".join(f"{name} {importlib.metadata.version(name)}" for name in ["rouge-score", "nltk"])
MEASURES = {"rouge1": "rouge1", "rouge2": "rouge2", "rougeL": "rouge_l", "rougeLsum": "rouge_lsum"}
SCORERS = {"words": RougeScorer(list(MEASURES)), "stems": RougeScorer(list(MEASURES), use_stemmer=True)}
STEMMER = PorterStemmer()
SOURCES = "pairs with the name of an RFC: unmodified portions of the IETF document of that number, (c) its authors"
N_RFC = 100

# Name, reference, candidate.
PAIRS = [
    ("empty candidate", "testing one two", ""),
    ("empty reference", "", "testing one two"),
    ("both empty", "", ""),
    ("nothing but marks", "testing one two", "/ -- \n…"),
    ("nothing but lines", "\n\n", "\n"),
    ("one word of three", "testing one two", "testing"),
    ("one word", "word", "Word."),
    ("the word's stem", "word", "words"),
    ("two first words", "testing one two", "testing one"),
    ("two words with a gap", "testing one two", "testing two"),
    ("turned round", "first text", "text first"),
    ("half of it", "first something", "text first"),
    ("the same", "A cat sat on the mat.", "a CAT sat, on the mat"),
    ("other words", "alpha beta", "gamma delta"),
    ("sentences turned round", "First sentence.\nSecond Sentence.", "Second sentence.\nFirst Sentence."),
    ("sentences turned round, one line", "First sentence. Second Sentence.", "Second sentence. First Sentence."),
    ("union of two lines", "w1 w2 w3 w4 w5", "w1 w2 w6 w7 w8\nw1 w3 w8 w9 w5"),
    ("no double counts", "the cat\nthe dog\nthe cow", "the bird"),
    ("counts of the reference", "the the\nthe", "the the the the\nthe the"),
    ("words again and again", "a a a b a a", "a a b b a"),
    ("two choices", "a b a\nb a b", "b a\na b"),
    ("blank lines and CRLF", "\r\nOne line.\r\n\r\nAnother line.\n", "One other line.\r\n\n\nAnother\r\n"),
    ("numbers and marks", "In 2024, 3.14 of RFC2119's 1,000 items (e.g. U.S.) didn't fit.", "rfc 2119's 1000 items didnt fit 3,14"),
    ("underscores", "snake_case and kebab-case", "snake case and kebabcase"),
    ("accents", "Le café de l'École est naïf", "le cafe de l ecole est na f"),
    ("letters with small forms in ASCII", "300 \u212a in \u0130stanbul at 5 \u212b", "300 k in i stanbul"),
    ("ligatures, digits of other scripts", "\ufb01ne \u00b2 \u0663 stra\u00dfe", "ne ne stra e strasse"),
    ("other scripts", "日本語 and العربية and русский", "日本語 русский and"),
    ("white space of Unicode", "a\u00a0b\u2003c\u2028d\u0085e\ffoo\vbar", "a b c d e foo bar"),
    ("emoji", "good 👍🏽 movie 👨‍👩‍👧", "a good movie"),
    ("stems", "The runners were running happily through relational databases.", "a runner ran happy, run: relate a database"),
    ("irregular stems", "Skies are dying, news of innings proceed", "the sky dies; new inning; proceeds and proceeding"),
    ("short words are not stemmed", "ties dies was his bus goes", "tie die wa hi bu go tied tying"),
    ("a longer candidate", "cats chase mice", "In the quiet house the cats chase, all night long, grey mice. Mice flee.\nCats sleep."),
    (
        "two summaries",
        "The council approved the new bridge on Monday.\nWork begins in spring and will cost two million euros.\n"
        "Residents had asked for it for ten years.",
        "On Monday the council has approved a bridge.\nIt costs two millions.\nFor ten years residents asked for bridges, and work is "
        "beginning next spring.",
    ),
    (
        "two summaries, one line each",
        "The council approved the new bridge on Monday. Work begins in spring and will cost two million euros.",
        "Two million euros is what the bridge costs that the council approves. Works began on Monday.",
    ),
]


def sentences(text):
    return " ".join(text.split()).replace(". ", ".\n")


def random_pairs():
    """Few words in many lines: there are many longest common subsequences to choose from."""
    draw = random.Random(7)
    for n in range(30):
        words = "a b c relate related running runs".split()[: draw.randint(2, 7)]
        length = draw.choice([4, 10, 80])

        def text():
            lines = [draw.choices(words, k=draw.randint(0, length)) for _ in range(draw.randint(1, 5))]
            return "\n".join(map(" ".join, lines))

        yield f"random {n}", text(), text()


def rfc_pairs():
    rows = pyarrow.parquet.read_table(DATASETS / "rfc.parquet").to_pylist()
    rows.sort(key=lambda row: hashlib.sha256(row["id"].encode()).digest())
    for row in rows:
        start = re.search(r"\n *1\.?0?\.? +Introduction *\n\s*", row["text"])
        body = row["text"][start.end() :][:700].split("\f")[0] if start else ""
        # Up to the end of a sentence: four of them at most.
        ends = [end.end() for end in re.finditer(r"[a-z)]\.(?=\s)", body)][:4]
        reference = row["abstract"]
        if not ends or len(body[: ends[-1]]) < 200 or not 150 < len(reference) < 800:
            continue
        candidate = body[: ends[-1]]
        assert reference.isascii() and len(reference) + len(candidate) < len(row["text"]) / 5
        yield row["id"], reference, candidate


def goldens():
    real = [pair for pair, _ in zip(rfc_pairs(), range(N_RFC))]
    assert len(real) == N_RFC
    for name, reference, candidate in PAIRS + list(random_pairs()) + real:
        pair = {"name": name, "reference": reference, "candidate": candidate}
        for key, scorer in SCORERS.items():
            scores = scorer.score(reference, candidate)
            by_line = scorer.score(sentences(reference), sentences(candidate))
            pair[key] = {MEASURES[measure]: list(score) for measure, score in scores.items()}
            pair[key]["rouge_lsum_of_sentences"] = list(by_line["rougeLsum"])
        yield pair


def path(word):
    """What each step does to a word, as what it takes away and what it adds."""
    steps = [STEMMER.pool.get(word)]
    for step in ["1a", "1b", "1c", "2", "3", "4", "5a", "5b"]:
        after = getattr(STEMMER, f"_step{step}")(word)
        same = next((n for n, (a, b) in enumerate(zip(word, after)) if a != b), min(len(word), len(after)))
        steps.append((word[same:], after[same:]))
        word = after
    return tuple(steps)


def words():
    texts = []
    for name, columns in [("movie-reviews", ["text"]), ("wiki-topics", ["text"]), ("rfc", ["text", "abstract"])]:
        for column in pyarrow.parquet.read_table(DATASETS / f"{name}.parquet", columns=columns).columns:
            texts += column.to_pylist()
    # Two letters are no word for the stemmer; what is very long is mostly a name in a program.
    found = {word for text in texts for word in re.findall("[a-z0-9]+", text.lower()) if 2 < len(word) < 20}
    order = sorted(found, key=lambda word: hashlib.sha256(word.encode()).digest())
    by_path = collections.defaultdict(list)
    for word in order:
        by_path[path(word)].append(word)
    chosen = list(STEMMER.pool)
    # Rare ways first, one word of each, then a second; words with digits are many and all alike.
    for n in range(4):
        chosen += [words[n] for words in by_path.values() if len(words) > n]
    chosen += [word for word in order if word.isalpha()]
    return list(dict.fromkeys(chosen))


def main():
    with open(HERE / "goldens.json", "w", encoding="utf-8") as out:
        lines = [json.dumps(pair, ensure_ascii=True) for pair in goldens()]
        out.write(f'{{"versions": "{VERSIONS}", "sources": "{SOURCES}", "pairs": [\n' + ",\n".join(lines) + "\n]}\n")
    size = 0
    chosen = []
    for word in words():
        size += len(word) + len(STEMMER.stem(word)) + 2
        if size > 95_000:
            break
        chosen.append(word)
    with open(HERE / "porter.txt", "w", encoding="ascii") as out:
        out.write(f"# word and stem: {VERSIONS}\n")
        out.writelines(f"{word} {STEMMER.stem(word)}\n" for word in sorted(chosen))


if __name__ == "__main__":
    main()
