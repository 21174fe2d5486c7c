"""Write the tables of docs/scale.md from constants: the cost of an exam and the limits of steps.

python bench/scale.py        # after a constant has changed
"""

import math
from collections.abc import Callable
from pathlib import Path

PAGE = Path(__file__).resolve().parents[1] / "docs/scale.md"
SIZES = (10**3, 10**6, 10**9)
HOUR, GB, MANY = 3600.0, 1e9, 1e12
PREPARE = "prepare the dataset"

# The exam: one question per image, one task, a VLM with LLaVA-1.5's shape
PARAMETERS, TOKENS, CLASSES = 7e9, 620, 8  # 576 tokens are the image's
WIDTH, COLUMNS = 4096, 2 * 33 + 1  # `image_mean` and `last` at 33 addresses, and the connector
ENCODER = (1024, 24)  # width and columns of the vision encoder, `image_mean`
MINED = 384  # width of both mined encoders, DINOv2-small's

# The machines: nodes of a cluster with Slurm
NODES, CORES, GPUS, NODE_GB, LONGEST_H = 10, 64, 8, 256, 24

# Limits of the configuration
PARTS, MINING_PARTS = 1000, 100

CONSTANTS = {
    # name: (value, unit, source)
    "gpu": (5e13, "operations a second of a GPU", "assumed: a sixth of an A100's peak"),
    "read": (200e6, "bytes a second from a shared file system", "assumed"),
    "value": (1.86, "bytes a stored value", "measured: float16, zstd"),
    "file": (0.02, "s to hash an image and read its size", "assumed, for a network file system"),
    "question": (0.0007, "s to write a question", "measured"),
    "row": (3700, "bytes of a question in memory", "measured"),
    "entry": (192, "bytes of a file in the ledger", "measured"),
    "compare": (6e-6, "s to read and compare an entry", "measured: 2,290 and 91,600 entries"),
    "job": (0.002, "s to plan a job", "measured: 990 and 5,050 jobs"),
    "rotation": (2e-10, "s × width⁻³ of a decomposition", "measured: width 3,584"),
    "product": (1.3e-11, "s an operation of probes", "measured: width 3,584"),
    "inputs": (3.3e-11, "s × n⁻¹ × width⁻² of shared inputs", "measured: width 3,584, AMD EPYC"),
    "factor": (1.2e-11, "s × width⁻³ of a factorisation", "measured: width 3,584, AMD EPYC"),
    "shared": (60, "passes over shared inputs", "measured: 46 at width 3,584, AMD EPYC"),
    "steps": (200, "passes of a linear probe over its examples", "measured: 100 to 200"),
    "pass": (2.6e-10, "s × n⁻¹ × width⁻¹ × classes⁻¹ of a pass", "measured: width 3,584"),
    "probe_memory": (4, "copies of a column in memory, float32", "measured: 10,000 × 3,584"),
    "prediction": (0.56, "bytes of a prediction of a probe", "measured"),
    "exact": (2.8e-11, "s × n⁻² × width⁻¹ of exact mining", "measured: n = 100,000"),
    "faiss": (5e-10, "s × n⁻¹·⁵ × width⁻¹ of mining through faiss", "measured: n = 1,000,000"),
}
SEEDS, FOLDS, PENALTIES = 3, 5, 6
SHARED_ROWS = 1.25  # search.SHARED_ROWS


def of(name: str) -> float:
    """Return a constant."""
    return CONSTANTS[name][0]


Need = tuple[
    str, float, float, float, float, float
]  # step, jobs, core h, GPU h, GB of a job, bytes


def prepare(n: float) -> Need:
    """Return the cost of a dataset's tables, for which one job reads all images."""
    hours = n * (of("file") + of("question")) / HOUR
    return PREPARE, 1, hours, 0, 0.3 + n * of("row") / GB, n * of("entry")


def extract(n: float) -> Need:
    """Return the cost of extraction, in parts of an hour or more that each load the model."""
    work = n * 2 * PARAMETERS * TOKENS / of("gpu") / HOUR
    parts = min(PARTS, max(1, math.ceil(work)))
    load = 2 * PARAMETERS / of("read") / HOUR
    stored = n * (WIDTH * COLUMNS + math.prod(ENCODER)) * of("value")
    return "extract a VLM", parts, 0, work + parts * load, 1.3 * 2 * PARAMETERS / GB, stored


def probe(n: float) -> Need:
    """Return the cost of one task's linear probes at all addresses, in one job.

    With enough rows, each column takes its shared inputs twice, a factorisation for each penalty
    and for the refit, and passes for all folds at once. Otherwise, each column and fold takes a
    decomposition, three products of width², and passes over examples.
    """
    train, hours = 0.8 * n, 0.0
    for width, columns in ((WIDTH, COLUMNS), ENCODER):
        one_pass = train * width * CLASSES * of("pass")
        if train >= SHARED_ROWS * width:
            inputs = 2 * train * width**2 * of("inputs")
            factors = (PENALTIES + 1) * width**3 * of("factor")
            hours += columns * (inputs + factors + of("shared") * FOLDS * one_pass) / HOUR
            continue
        least = min(width, train)
        rotation = least**3 * of("rotation") + 6 * train * least * width * of("product")
        passes = of("steps") * one_pass * least / width
        hours += columns * (FOLDS + 1) * (rotation + passes) / HOUR
    stored = 0.2 * n * (COLUMNS + ENCODER[1]) * SEEDS * 2 * of("prediction")
    memory = (0.5e9 + of("probe_memory") * 4 * n * WIDTH) / GB
    return "probe one task", 1, hours, 0, memory, stored


def mine(n: float) -> Need:
    """Return the cost of exact mining, in parts of 100,000 images or more."""
    parts = min(MINING_PARTS, max(1, math.ceil(n / 1e5)))
    jobs = parts * (parts + 1) / 2 + (2 if parts > 1 else 0)
    memory = 4 * min(n, 2 * n / parts) * 2 * MINED / GB + 0.6
    return "mine, exact", jobs, n**2 * MINED * of("exact") / HOUR, 0, memory, 8 * n * MINED


def mine_near(n: float) -> Need:
    """Return the cost of mining with faiss, in one job."""
    hours = n**1.5 * MINED * of("faiss") / HOUR
    return "mine, faiss", 1, hours, 0, 8 * n * MINED / GB + 0.6, 8 * n * MINED


STEPS = (prepare, extract, probe, mine, mine_near)


def shown(value: float) -> str:
    """Return a number with two significant digits."""
    digits = 1 - math.floor(math.log10(value))
    text = f"{round(value, digits):,.{max(0, digits)}f}"
    return text.rstrip("0").rstrip(".") if digits > 0 else text


def size(value: float) -> str:
    """Return bytes in the unit that needs few digits."""
    power = min(5, max(1, int(math.log10(max(value, 1)) // 3)))
    return f"{shown(value / 1000**power)} {' kMGTP'[power]}B"


def duration(hours: float) -> str:
    """Return a time in the unit that needs few digits."""
    if not hours:
        return "–"
    for unit, length in (("h", 1.0), ("min", 1 / 60)):
        if hours >= length:
            return f"{shown(hours / length)} {unit}"
    return "under 1 s" if hours < 1 / HOUR else f"{shown(hours * HOUR)} s"


def on_all_nodes(need: Need) -> float:
    """Return the hours of a step on all nodes, with one GPU per job or one thread per core.

    A dataset is prepared by one thread.
    """
    name, jobs, cores, gpus, *_ = need
    threads = 1 if name == PREPARE else min(jobs * CORES, NODES * CORES)
    return max(cores / threads, gpus / min(jobs, NODES * GPUS))


def costs() -> str:
    """Return the table of each step's cost."""
    head = ("images", "step", "jobs", "cores", "GPUs", "memory of a job", "written", "on 10 nodes")
    lines = [f"| {' | '.join(head)} |", "|--:|---|--:|--:|--:|--:|--:|--:|"]
    for n in SIZES:
        for step in STEPS:
            name, jobs, cores, gpus, memory, stored = need = step(n)
            cells = [f"{n:,}", name, f"{jobs:,.0f}", *map(duration, (cores, gpus))]
            cells += [size(memory * GB), size(stored), duration(on_all_nodes(need))]
            lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def limits() -> str:
    """Return the table of the numbers of images at which steps break, in increasing order."""
    found = []
    for step in STEPS:
        name = step(1)[0]
        found.append((_most(lambda n, s=step: s(n)[4], NODE_GB), name, f"a job holds {NODE_GB} GB"))
        hours = _most(lambda n, s=step: _of_a_job(s(n)), LONGEST_H)
        found.append((hours, name, f"a job takes {LONGEST_H} h"))
    rows = [f"| {shown(n)} | {name} | {why} |" for n, name, why in sorted(found) if n < MANY]
    return "\n".join(["| images | step | limit |", "|--:|---|---|", *rows])


def _of_a_job(need: Need) -> float:
    """Return the hours of one job."""
    name, jobs, cores, gpus, *_ = need
    return max(cores / (1 if name == PREPARE else CORES), gpus) / jobs


def _most(amount: Callable[[float], float], limit: float) -> float:
    """Return the largest number of images whose amount is within a limit, by bisection."""
    low, high = 0.0, math.log10(MANY)
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if amount(10**middle) <= limit else (low, middle)
    return 10**low if high < math.log10(MANY) else MANY


def plans() -> str:
    """Return the table of a run's cost before its first job: planning and the ledger."""
    lines = [
        "| jobs | planned in | files | ledger | read and compared in |",
        "|--:|--:|--:|--:|--:|",
    ]
    for n in (10**2, 10**4, 10**6):
        planned, compared = (duration(n * of(name) / HOUR) for name in ("job", "compare"))
        lines.append(f"| {n:,} | {planned} | {n:,} | {size(n * of('entry'))} | {compared} |")
    return "\n".join(lines)


def constants() -> str:
    """Return the table of constants."""
    lines = ["| constant | value | unit | source |", "|---|--:|---|---|"]
    for name, (value, unit, source) in CONSTANTS.items():
        lines.append(f"| {name} | {value:g} | {unit} | {source} |")
    return "\n".join(lines)


def page(text: str) -> str:
    """Return the page with its generated tables rewritten."""
    for name, table in (
        *(("costs", costs()), ("limits", limits())),
        *(("plans", plans()), ("constants", constants())),
    ):
        start, end = f"<!-- generated: {name} -->", "<!-- generated end -->"
        before, _, rest = text.partition(start)
        text = f"{before}{start}\n{table}\n{end}{rest.partition(end)[2]}"
    return text


if __name__ == "__main__":
    PAGE.write_text(page(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
