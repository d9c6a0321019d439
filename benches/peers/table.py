"""Collects measurements round by round and prints medians, ranges and ratios."""
import statistics


class Results:
    """Measurements by part, case and engine; a list of rounds each."""

    # What is measured: its title, what a value of it is divided by, and the digits of what is shown.
    UNITS = {"ms": ("wall ms", 1, 2), "cpu_ms": ("CPU ms", 1, 2), "bytes": ("peak MB", 1e6, 1)}

    def __init__(self, threads):
        self.threads, self.found = threads, {}

    def add(self, part, case, engine, measured):
        own = self.found.setdefault((part, case, engine), {})
        for name, value in measured.items():
            if value is not None:
                own.setdefault(name, []).append(value)

    def reference(self, part, case, engine):
        """What an engine is compared with: lmpipe in the same precision, or what the part has instead."""
        form = "int8" if "int8" in engine else "f32"
        for name in (f"lmpipe {form}", f"lmpipe {form}, 1 thread", f"lmpipe {form}, windows"):
            if (part, case, name) in self.found:
                return self.found[part, case, name]
        return {}

    def rows(self):
        for (part, case, engine), measured in self.found.items():
            reference = self.reference(part, case, engine)
            row = {"part": part, "case": case, "engine": engine, "threads": self.threads}
            for name, values in measured.items():
                row[name] = values
                # By round, since both were measured within the same minute of the machine.
                pairs = [(own, other) for own, other in zip(values, reference.get(name, [])) if other > 0]
                if pairs:
                    row[f"{name}_ratio"] = statistics.median(own / other for own, other in pairs)
            yield row

    def show(self, part):
        rows = [row for row in self.rows() if row["part"] == part]
        units = [unit for unit in self.UNITS if any(unit in row for row in rows)]
        print(f"\n## {part}\n")
        print("| case | engine |" + "".join(f" {self.UNITS[unit][0]} | range | × |" for unit in units))
        print("|---|---|" + "--:|--:|--:|" * len(units))
        for row in rows:
            print(f"| {row['case']} | {row['engine']} |" + "".join(self.cells(row, unit) for unit in units), flush=True)

    def cells(self, row, unit):
        if unit not in row:
            return " | | |"
        _, divisor, digits = self.UNITS[unit]
        values = [value / divisor for value in row[unit]]
        ratio = row.get(f"{unit}_ratio")
        told = "" if ratio is None else f"{ratio:.2f}"
        return f" {statistics.median(values):.{digits}f} | {min(values):.{digits}f}–{max(values):.{digits}f} | {told} |"


def rotated(items, number):
    """Who runs first finds another machine than who runs last; each round begins with the next one."""
    items = list(items)
    return items[number % len(items) :] + items[: number % len(items)]
