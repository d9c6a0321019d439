"""The rows that are worked on, made of the repository's movie reviews; the same on every machine."""
import os
import random
import re

from data import REPOSITORY

# Words that are exchanged in a row that is nearly another; of some 57 words, two of them leave a similarity of about 0.8.
EXCHANGED = (0, 1, 1, 2, 3)
PLAIN = re.compile("[a-z0-9]+")
# Bytes of a text of the large input, and rows that are written at a time.
PARAGRAPH, BATCH = 1_000, 4_096


def reviews():
    import pyarrow.parquet

    return pyarrow.parquet.read_table(os.path.join(REPOSITORY, "datasets", "movie-reviews.parquet"))["text"].to_pylist()


def table(numbers, texts):
    """One split, ids, and two labels."""
    import pyarrow

    labels = ["ab"[number % 2] for number in numbers]
    return pyarrow.table({"id": list(map(str, numbers)), "text": texts, "label": labels, "split": ["train"] * len(texts)})


class Rows:
    """Parquet files of so many rows, made when they are first asked for."""

    def __init__(self, folder):
        self.folder, self.reviews = folder, reviews()

    def repeated(self, count):
        """The movie reviews, again and again."""
        return self.file("reviews", count, lambda: [self.reviews[row % len(self.reviews)] for row in range(count)])

    def near(self, count):
        """Three sentences a row, and every tenth row a copy of one before it with some words exchanged."""
        return self.file("near", count, lambda: self.near_texts(count)[0])

    def file(self, name, count, texts):
        import pyarrow.parquet

        path = os.path.join(self.folder, f"{name}-{count}.parquet")
        if not os.path.exists(path):
            pyarrow.parquet.write_table(table(range(count), texts()), path, row_group_size=100_000)
        return path

    def near_texts(self, count):
        """The texts, and the row that a row is a copy of."""
        choose, texts, copies = random.Random(7), [], {}
        # Words that every program cuts alike.
        sentences = [text for text in (" ".join(PLAIN.findall(text.lower())) for text in self.reviews) if text]
        for row in range(count):
            if row % 10 != 9:
                texts.append(" ".join(choose.choice(sentences) for _ in range(3)))
                continue
            copies[row] = choose.randrange(row)
            words = texts[copies[row]].split()
            for _ in range(choose.choice(EXCHANGED)):
                words[choose.randrange(len(words))] = choose.choice(choose.choice(sentences).split())
            texts.append(" ".join(words))
        return texts, copies

    def alike(self, count, threshold):
        """The copies whose similarity to their row is at least the threshold, counted and not estimated."""
        texts, copies = self.near_texts(count)
        return {row for row, origin in copies.items() if similarity(texts[row], texts[origin]) >= threshold}


def shingles(text):
    words = text.split()
    return {" ".join(words[at : at + 3]) for at in range(max(1, len(words) - 2))}


def similarity(one, other):
    """Jaccard's, of the sets of three words in a row."""
    one, other = shingles(one), shingles(other)
    return len(one & other) / len(one | other)


def large(folder, size, form, shards=8):
    """Writes files of so many bytes of text in all, or a little more; each text begins with its row's number. Gives their glob."""
    os.makedirs(folder)
    texts, part = [], []
    for text in reviews():
        part.append(text)
        if sum(map(len, part)) >= PARAGRAPH:
            texts.append(" ".join(part))
            part = []
    sizes = [len(text.encode()) for text in texts]
    row = done = 0
    for shard in range(shards):
        sink = {"parquet": Parquet, "jsonl": Lines, "csv": Lines}[form](os.path.join(folder, f"part-{shard:03}.{form}"), texts, form)
        while done < size * (shard + 1) / shards:
            rows = range(row, row + BATCH)
            sink.write(rows)
            done += sum(sizes[row % len(sizes)] for row in rows)
            row += BATCH
        sink.close()
    return os.path.join(folder, f"*.{form}"), row


class Lines:
    """JSON lines or CSV; nothing but the number of a row is formatted anew."""

    def __init__(self, path, texts, form):
        import json

        self.file, self.lines = open(path, "wb"), []
        if form == "csv":
            self.file.write(b"id,label,split,text\n")
        for at, text in enumerate(texts):
            label, text = "ab"[at % 2], text.replace("%", "%%")
            if form == "csv":
                line = f'%d,{label},train,"%d ' + text.replace('"', '""') + '"\n'
            else:
                line = f'{{"id":"%d","label":"{label}","split":"train","text":"%d ' + json.dumps(text, ensure_ascii=False)[1:] + "}\n"
            self.lines.append(line.encode())

    def write(self, rows):
        self.file.write(b"".join(self.lines[row % len(self.lines)] % (row, row) for row in rows))

    def close(self):
        self.file.close()


class Parquet:
    def __init__(self, path, texts, form):
        import pyarrow.parquet

        self.texts = texts
        self.file = pyarrow.parquet.ParquetWriter(path, table([0], texts[:1]).schema, compression="zstd")

    def write(self, rows):
        self.file.write_table(table(rows, [f"{row} {self.texts[row % len(self.texts)]}" for row in rows]))

    def close(self):
        self.file.close()
