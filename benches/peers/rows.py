"""Real rows: the test splits in batches of 32; and what a second thread brings to lmpipe."""
from data import DATASETS, test_files
from engines import Lmpipe
from table import rotated

BATCH = 32


def measure(options, models, results):
    engines = models.all(options.threads)
    files = {name: test_files(models.f32, models.folder, name, options.limit) for name in DATASETS}
    for number in range(options.rounds):
        for name, (lines, ids) in files.items():
            for title in rotated(engines, number):
                engine = engines[title]
                if isinstance(engine, Lmpipe):
                    results.add("rows", name, title, engine.rows(lines, DATASETS[name], BATCH))
                    continue
                results.add("rows", name, title, engine.rows(ids, BATCH, by_length=False))
                results.add("rows", name, f"{title}, sorted by length", engine.rows(ids, BATCH, by_length=True))
        options.say(f"rows: round {number + 1} of {options.rounds}")
    for engine in engines.values():
        engine.close()


def threads(options, models, results):
    engines = {}
    for count in (1, 2):
        told = "1 thread" if count == 1 else f"{count} threads"
        engines |= {f"{title}, {told}": engine for title, engine in models.lmpipe(count).items()}
    files = {name: test_files(models.f32, models.folder, name, options.limit)[0] for name in DATASETS}
    for number in range(options.rounds):
        for name, lines in files.items():
            for title in rotated(engines, number):
                results.add("threads", name, title, engines[title].rows(lines, DATASETS[name], BATCH))
        options.say(f"threads: round {number + 1} of {options.rounds}")
