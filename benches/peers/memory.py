"""Peak memory: each engine in a fresh process that serves 1 × 128 tokens a few hundred times."""


def measure(options, models, results):
    for number in range(options.rounds):
        # One engine at a time: what the others hold would be paged out under pressure.
        for title in models.titles():
            engine = models.engine(title, options.threads)
            results.add("memory", "1 × 128", title, engine.memory(options.calls))
            engine.close()
        options.say(f"memory: round {number + 1} of {options.rounds}")
