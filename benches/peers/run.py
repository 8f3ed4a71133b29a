"""Times one EM iteration of this library and of its peers, on the same files, from the same start.

    python3 benches/peers/run.py            # prints JSON
    python3 benches/peers/run.py --record   # and writes benches/recorded/peers.txt

It installs scikit-learn into target/peers, needs g++ and Armadillo (Debian: libarmadillo-dev) for one
peer, and fetches linfa for another; a peer that cannot be built is left out, and said so. Each system
runs few and many iterations, in turn, several times (ROUNDS); an iteration is the difference of the
fastest runs, so that starting costs nothing. All must reach the same log likelihood to a millionth,
or it stops (linfa starts elsewhere, and is only timed).
"""

import datetime
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
import venv
import warnings

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
SKLEARN = "1.9.1"
ROUNDS = int(os.environ.get("ROUNDS", "3"))

try:
    import numpy as np
    import sklearn
    from sklearn.datasets import load_sample_image
    from sklearn.mixture import GaussianMixture

    if sklearn.__version__ != SKLEARN:
        raise ImportError
except ImportError:  # once, and then again with them
    folder = os.path.join(ROOT, "target", "peers")
    python = os.path.join(folder, "bin", "python")
    if sys.executable == python:
        raise
    venv.create(folder, with_pip=True)
    words = [python, "-m", "pip", "install", "--quiet", f"scikit-learn=={SKLEARN}", "pillow"]
    subprocess.run(words, check=True)
    os.execv(python, [python, *sys.argv])

warnings.filterwarnings("ignore")  # runs of a fixed number of iterations do not converge

# Up to so many rows a run takes milliseconds, and is repeated more often.
FEW_ROWS = 10_000


def log(*words):
    print(*words, file=sys.stderr, flush=True)


def clusters(n, d, k, seed):
    rng = np.random.default_rng(seed)
    means = 3.0 * rng.standard_normal((k, d)) / np.sqrt(d / 2)
    roots = [np.eye(d) + 0.3 * np.tril(rng.standard_normal((d, d))) / np.sqrt(d) for _ in range(k)]
    z = rng.integers(k, size=n)
    x = rng.standard_normal((n, d))
    for i in range(k):
        x[z == i] = means[i] + x[z == i] @ roots[i].T
    return x


def notebook(n):
    rng = np.random.default_rng(1)
    z = rng.choice(3, size=n, p=[0.4, 0.3, 0.3])
    means = np.array([[0.0, 0.0], [3.0, 3.0], [0.0, 4.0]])
    roots = np.array([[[0.2, 0.0], [0.9, 0.25]], [[1.0, 0.0], [0.3, 0.6]], [[0.5, 0.0], [-0.4, 0.9]]])
    return means[z] + np.einsum("nij,nj->ni", roots[z], rng.standard_normal((n, 2)))


def pixels():
    x = load_sample_image("china.jpg").reshape(-1, 3).astype(float) / 255.0
    return x + np.random.default_rng(2).uniform(0, 1 / 255.0, x.shape)  # undo the rounding


# The notebook's model, pixels of a photograph, clusters: points, K, and iterations: fewer than bring a fit to its last bit, where Armadillo stops by itself.
WORKLOADS = {
    "1,000,000 × 2, K = 3": (lambda: notebook(1_000_000), 3, 20),
    "273,280 × 3, K = 8": (pixels, 8, 20),
    "200,000 × 16, K = 16": (lambda: clusters(200_000, 16, 16, 3), 16, 8),
    "50,000 × 64, K = 16": (lambda: clusters(50_000, 64, 16, 4), 16, 8),
    "20,000 × 8, K = 64": (lambda: clusters(20_000, 8, 64, 5), 64, 20),
    "1,000 × 2, K = 3": (lambda: notebook(1_000), 3, 40),
    "200,000 × 16, K = 16, diagonal": (lambda: clusters(200_000, 16, 16, 3), 16, 20),
}

# Where the useful operations are compared with a product's: D.
PRODUCTS = {"200,000 × 16, K = 16": 16, "50,000 × 64, K = 16": 64}


def ours(binary):
    def run(path, x, k, iterations, shape):
        n, d = x.shape
        words = [binary, path, str(n), str(d), str(k), str(iterations), shape]
        return json.loads(subprocess.run(words, check=True, capture_output=True).stdout)

    return run


def program(words):
    def run(path, x, k, iterations, shape):
        if shape != "full":
            return None
        n, d = x.shape
        words_here = [*words, path, str(n), str(d), str(k), str(iterations)]
        # Where there is little to do, Armadillo's threads wait for each other longer than they work.
        alone = {"OMP_NUM_THREADS": "1"} if n <= FEW_ROWS else {}
        done = subprocess.run(words_here, check=True, capture_output=True, env={**os.environ, **alone})
        return json.loads(done.stdout)

    return run


def scikit_learn(path, x, k, iterations, shape):
    sigma = np.cov(x.T, bias=True)
    precision = np.linalg.inv(sigma)
    diagonal = 1 / np.diag(sigma)
    model = GaussianMixture(
        k,
        covariance_type="full" if shape == "full" else "diag",
        tol=0,
        reg_covar=0,
        max_iter=iterations,
        weights_init=np.full(k, 1 / k),
        means_init=x[:k],
        precisions_init=np.tile(precision, (k, 1, 1)) if shape == "full" else np.tile(diagonal, (k, 1)),
        init_params="random_from_data",
        random_state=0,
    )
    begin = time.perf_counter()
    model.fit(x)
    seconds = time.perf_counter() - begin
    return {"seconds": seconds, "log_likelihood": float(model.score(x) * len(x))}


def build():
    systems = {}
    out = subprocess.run(
        ["cargo", "bench", "--bench", "peers", "--no-run", "--message-format=json"],
        cwd=ROOT, check=True, capture_output=True, text=True,
    ).stdout
    binary = next(
        message["executable"]
        for message in map(json.loads, out.splitlines())
        if message.get("executable") and message["target"]["name"] == "peers"
    )
    systems["mixtures"] = ours(binary)
    systems[f"scikit-learn {sklearn.__version__}"] = scikit_learn
    folder = tempfile.mkdtemp()
    armadillo = os.path.join(folder, "armadillo")
    words = ["g++", "-O3", "-march=native", "-fopenmp", "-DARMA_USE_OPENMP", "-DNDEBUG",
             os.path.join(HERE, "armadillo.cpp"), "-o", armadillo, "-larmadillo"]
    if subprocess.run(words, capture_output=True).returncode == 0:
        systems["Armadillo"] = program([armadillo])
    else:
        log("Armadillo cannot be built: left out")
    target = os.environ.get("PEERS_TARGET", os.path.join(ROOT, "target", "peers", "linfa"))
    words = ["cargo", "build", "--release", "--target-dir", target]
    native = {**os.environ, "RUSTFLAGS": "-C target-cpu=native"}
    if subprocess.run(words, cwd=os.path.join(HERE, "linfa"), env=native, capture_output=True).returncode == 0:
        systems["linfa 0.8.1"] = program([os.path.join(target, "release", "peer-linfa")])
    else:
        log("linfa cannot be built: left out")
    return systems


PRODUCT = 1500


def product_seconds():
    """Of a product of matrices of that size, with all threads."""
    a = np.random.default_rng(0).standard_normal((PRODUCT, PRODUCT))
    return min(timed(lambda: a @ a) for _ in range(5))


def compare(reached, workload):
    """Stops unless all that say what they reached have reached the same."""
    ours = reached["mixtures"]
    for system, value in reached.items():
        if not abs(value - ours) <= 1e-6 * abs(ours):
            sys.exit(f"{workload}: {system} reaches {value!r}, mixtures {ours!r}")


def timed(action):
    begin = time.perf_counter()
    action()
    return time.perf_counter() - begin


def rates(run, path, x, k):
    """Useful operations a second of an iteration, and those of a product of matrices, in turn: the
    best of each of many."""
    best = {2: np.inf, 6: np.inf}
    product = np.inf
    for _ in range(10 * ROUNDS):
        product = min(product, product_seconds())
        for iterations in best:
            seconds = run(path, x, k, iterations, "full")["seconds"]
            best[iterations] = min(best[iterations], seconds)
    n, d = x.shape
    iteration = (best[6] - best[2]) / 4
    return 2 * n * k * d * d / iteration, 2 * PRODUCT**3 / product


def main():
    systems = build()
    only = [word for word in sys.argv[1:] if word != "--record"]
    results = []
    for name, (make, k, many) in WORKLOADS.items():
        if only and not any(word in name for word in only):
            continue
        x = make()
        shape = "diagonal" if "diagonal" in name else "full"
        with tempfile.NamedTemporaryFile(suffix=".f64") as file:
            file.write(np.asfortranarray(x).T.tobytes())
            file.flush()
            few = max(1, many // 4)
            best, reached = {}, {}
            for _ in range(ROUNDS if len(x) > FEW_ROWS else 10 * ROUNDS):
                for system, run in systems.items():
                    for iterations in (few, many):
                        found = run(file.name, x, k, iterations, shape)
                        if found is None:
                            continue
                        key = (system, iterations)
                        best[key] = min(best.get(key, np.inf), found["seconds"])
                        if iterations == many and "log_likelihood" in found:
                            reached[system] = found["log_likelihood"]
                            compare(reached, name)
            row = {"workload": name, "milliseconds": {}, "log_likelihood": reached}
            if name in PRODUCTS:
                row["useful_rate"], row["rate"] = rates(systems["mixtures"], file.name, x, k)
        for system in systems:
            if (system, many) in best:
                difference = best[(system, many)] - best[(system, few)]
                if difference <= 0:
                    sys.exit(f"{name}: {system}'s times are too uneven; more ROUNDS are needed")
                row["milliseconds"][system] = 1000 * difference / (many - few)
        log(name, {s: round(v, 3) for s, v in row["milliseconds"].items()}, reached)
        if name in PRODUCTS:
            log(f'    {row["useful_rate"] / 1e9:.1f} of {row["rate"] / 1e9:.1f} GFLOP/s')
        results.append(row)
    date = datetime.date.today().isoformat()
    machine = {"cores": os.cpu_count(), "processor": cpu(), "system": platform.system()}
    found = {"date": date, "machine": machine, "workloads": results}
    json.dump(found, sys.stdout, indent=1)
    print()
    if "--record" in sys.argv:
        with open(os.path.join(ROOT, "benches", "recorded", "peers.txt"), "w") as file:
            file.write(table(found))


def table(found):
    """What chapter 20 shows: milliseconds an iteration, and how many times the library's they are."""
    machine, rows = found["machine"], found["workloads"]
    names = list(dict.fromkeys(name for row in rows for name in row["milliseconds"]))
    width = max(len(row["workload"]) for row in rows) + 1
    lines = [
        "command = benches/peers/run.py --record",
        f"machine = {machine['processor']}, {machine['cores']} cores",
        f"date = {found['date']}",
    ]
    for name in names[1:]:
        ratios = [
            row["milliseconds"][name] / row["milliseconds"]["mixtures"]
            for row in rows
            if name in row["milliseconds"]
        ]
        plain = name.split()[0]
        lines.append(f"least over {plain} = {two_digits(min(ratios))}")
        lines.append(f"most over {plain} = {two_digits(max(ratios))}")

    products = [row for row in rows if row["workload"] in PRODUCTS]
    for row in products:
        d, useful, rate = PRODUCTS[row["workload"]], row["useful_rate"], row["rate"]
        lines.append(f"useful rate in {d} = {two_digits(useful / 1e9)}")
        lines.append(f"share of a product in {d} = {useful / rate:.2f}")

    def section(title, cell):
        lines.extend(["", f"# {title}"])
        lines.append(" " * width + "".join(f"{name:>{len(name) + 2}}" for name in names))
        for row in rows:
            cells = [cell(row, name) if name in row["milliseconds"] else "–" for name in names]
            pairs = zip(cells, names)
            cells = "".join(f"{text:>{len(name) + 2}}" for text, name in pairs)
            lines.append(f"{row['workload']:<{width}}" + cells)

    section("Milliseconds an iteration", lambda row, name: f"{row['milliseconds'][name]:.2f}")
    ours = lambda row: row["milliseconds"]["mixtures"]
    section("As a multiple of this library's", lambda row, name: f"{row['milliseconds'][name] / ours(row):.1f}")
    lines.extend(["", "# Two products in an E-step", "GFLOP/s" + " " * 15 + "useful   a product"])
    for row in products:
        useful, rate = row["useful_rate"] / 1e9, row["rate"] / 1e9
        lines.append(f"{row['workload']:<20}{useful:>8.1f}{rate:>12.1f}")
    return "\n".join(lines) + "\n"


def two_digits(value):
    return f"{value:.1f}" if value < 9.95 else f"{value:.0f}"


def cpu():
    with open("/proc/cpuinfo") as file:
        lines = [line for line in file if line.startswith("model name")]
    return lines[0].split(":")[1].strip() if lines else "unknown"


if __name__ == "__main__":
    main()
