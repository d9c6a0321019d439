"""Makes goldens.json: scores and choices of sentences, computed plainly with numpy (made with Python 3.11, numpy 2.4, pyarrow 26).

Run by hand, with numpy and pyarrow installed:  python make.py
Similarities are whole matrices, scores solve a system of linear equations, summaries are counted anew for every candidate. The
documents are of datasets/rfc.parquet, their words as numbers: the texts may only be passed on whole, and no method reads a word.
"""

import collections
import json
import math
import pathlib
import re

import numpy as np
import pyarrow.parquet as pq

HERE = pathlib.Path(__file__).parent
DAMPING = 0.85


def sentences_of(text):
    """Sentences of words, roughly: without page breaks, split at blank lines and at the ends of sentences."""
    text = re.sub(r"\n[^\n]*\[Page +\w+\]\s*\f?\s*\n[^\n]*\n", "\n", text)
    found = []
    for paragraph in re.split(r"\n\s*\n", text):
        paragraph = " ".join(paragraph.split())
        found += [re.findall(r"[a-z0-9]+", s.lower()) for s in re.split(r"(?<=[.!?])\s+(?=[A-Z])", paragraph) if s]
    return found


def stationary(links, jump):
    """The fixed point of jump + DAMPING * sum of what others pass on by their links, where each has some or passes on nothing."""
    degrees = links.sum(axis=1)
    shares = np.divide(links, degrees[:, None], out=np.zeros_like(links), where=degrees[:, None] > 0)
    return np.linalg.solve(np.eye(len(links)) - DAMPING * shares.T, np.full(len(links), jump))


def idf_of(texts):
    """Weights of words over texts; words of no text have the weight of the key None."""
    counts = collections.Counter(word for text in texts for word in set(text))
    weights = {word: math.log(len(texts) / n) for word, n in counts.items()}
    return collections.defaultdict(lambda: math.log(len(texts) + 1), weights)


def lex_rank(sentences, idf, threshold):
    words = sorted({word for sentence in sentences for word in sentence})
    x = np.array([[sentence.count(word) * idf[word] for word in words] for sentence in sentences])
    norms = np.linalg.norm(x, axis=1)
    inside = np.flatnonzero(norms > 0)
    scores = np.zeros(len(sentences))
    if len(inside):
        x = x[inside] / norms[inside, None]
        cosines = x @ x.T
        if threshold is not None:
            assert np.abs(cosines - threshold).min() > 1e-9, "a cosine at the threshold"
            cosines = (cosines > threshold).astype(float)
        scores[inside] = stationary(cosines, (1 - DAMPING) / len(inside))
    return scores


def text_rank(sentences):
    sets = [set(sentence) for sentence in sentences]
    links = np.zeros((len(sets), len(sets)))
    for i, a in enumerate(sets):
        for j, b in enumerate(sets):
            if i != j and len(a & b) and len(a) * len(b) > 1:
                links[i, j] = len(a & b) / (math.log(len(a)) + math.log(len(b)))
    scores = stationary(links, 1 - DAMPING)
    return np.where([len(s) > 0 for s in sets], scores, 0.0)


def f1(chosen, reference, n):
    def grams(rows):
        return collections.Counter(tuple(row[i : i + n]) for row in rows for i in range(len(row) - n + 1))

    a, b = grams(chosen), grams([reference])
    size = a.total() + b.total()
    return 2 * (a & b).total() / size if size else 0.0


def oracle(sentences, reference, most):
    chosen, best = [], 0.0
    while len(chosen) < most:
        place = None
        for i in range(len(sentences)):
            if i not in chosen:
                summary = [sentences[j] for j in chosen + [i]]
                score = f1(summary, reference, 1) + f1(summary, reference, 2)
                if score > best:
                    place, best = i, score
        if place is None:
            break
        chosen.append(place)
    return sorted(chosen)


def select(scores, sentences, n_words, blocking):
    chosen, said = [], set()
    for i in sorted(range(len(scores)), key=lambda i: (-scores[i], i)):
        trigrams = {tuple(sentences[i][k : k + 3]) for k in range(len(sentences[i]) - 2)}
        fits = sum(len(sentences[j]) for j in chosen) + len(sentences[i]) <= n_words
        if sentences[i] and fits and not (blocking and trigrams & said):
            chosen.append(i)
            said |= trigrams
    return sorted(chosen)


def documents():
    """Five short ones, the sentences of their abstracts taken out, and one of odd sentences."""
    rows = pq.read_table(HERE.parents[2] / "datasets" / "rfc.parquet").to_pylist()
    rows.sort(key=lambda row: (len(row["text"]), row["id"]))
    for row in rows[:50:10]:
        abstract = sentences_of(row["abstract"])
        sentences = [sentence for sentence in sentences_of(row["text"]) if sentence not in abstract]
        yield row["id"], sentences, [word for sentence in abstract for word in sentence]
    odd = "a b c|||a|a|b|q q|q|d|a b c|c b a b|e f g h|f g e|x y z x y z x y|x y z".split("|")
    yield "odd", [sentence.split() for sentence in odd], "a b b e f g n".split()


def main():
    out, texts = [], list(documents())
    # Of a collection without the first document, so that some of its words are in no text.
    collection = idf_of([[word for sentence in sentences for word in sentence] for _, sentences, _ in texts[1:]])
    numbers = {}
    for name, sentences, reference in texts:
        for sentence in [*sentences, reference]:
            for word in sentence:
                numbers.setdefault(word, len(numbers))
        of_sentences = idf_of([sentence for sentence in sentences if sentence])
        ranks = text_rank(sentences).tolist()
        out.append(
            {
                "name": name,
                "sentences": [" ".join(str(numbers[word]) for word in sentence) for sentence in sentences],
                "reference": " ".join(str(numbers[word]) for word in reference),
                "lex_rank": lex_rank(sentences, of_sentences, 0.1).tolist(),
                "lex_rank_weighted": lex_rank(sentences, of_sentences, None).tolist(),
                "lex_rank_collection": lex_rank(sentences, collection, 0.1).tolist(),
                "text_rank": ranks,
                "selected": select(ranks, sentences, 200, False),
                "selected_blocking": select(ranks, sentences, 200, True),
                "oracle": oracle(sentences, reference, 8),
            }
        )
        print(name, len(sentences), "sentences,", out[-1]["oracle"], out[-1]["selected"], out[-1]["selected_blocking"])
    (HERE / "goldens.json").write_text(json.dumps(out, separators=(",", ":")).replace('{"name"', '\n{"name"') + "\n")


main()
