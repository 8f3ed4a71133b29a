"""Records what scikit-learn makes of the book's data, for the appendix "Coming from scikit-learn".

    python -m venv /tmp/peers && /tmp/peers/bin/pip install scikit-learn==1.9.1
    /tmp/peers/bin/python benches/peers/reference.py > data/scikit_learn.json

Its numbers are compared with the library's in `tests/scikit_learn.rs`, and shown in the appendix.
"""

import json
import sys
import warnings

import numpy as np
import sklearn
from sklearn.mixture import BayesianGaussianMixture, GaussianMixture

warnings.filterwarnings("ignore")  # runs of a fixed number of iterations do not converge

SHAPES = {"full": "full", "tied": "tied", "diagonal": "diag", "spherical": "spherical"}


def read(name):
    return np.loadtxt(f"data/{name}.csv", delimiter=",", skiprows=1)


class FromLabels(BayesianGaussianMixture):
    """Starts from labels, as `Start::Responsibilities` does from one-hot responsibilities."""

    def _initialize_parameters(self, X, random_state, xp=None):
        resp = np.eye(self.n_components)[self.labels]
        try:
            self._initialize(X, resp)
        except TypeError:
            self._initialize(X, resp, xp=xp)


def em(x, shape, means, iterations, **options):
    """From these means, equal weights and the data's covariance in every component."""
    k, d = means.shape
    sigma = np.cov(x.T, bias=True).reshape(d, d)
    precision = {
        "full": np.tile(np.linalg.inv(sigma), (k, 1, 1)),
        "tied": np.linalg.inv(sigma),
        "diagonal": np.tile(1 / np.diag(sigma), (k, 1)),
        "spherical": np.full(k, d / np.trace(sigma)),
    }[shape]
    fit = GaussianMixture(
        k,
        covariance_type=SHAPES[shape],
        weights_init=np.full(k, 1 / k),
        means_init=means,
        precisions_init=precision,
        max_iter=iterations,
        tol=0,
        **options,
    ).fit(x)
    return fit, float(fit.score(x) * len(x))


def vb(x, labels, k, shape="full", iterations=1000, **options):
    fit = FromLabels(
        n_components=k,
        covariance_type=SHAPES[shape],
        reg_covar=0,
        tol=0,
        max_iter=iterations,
        **options,
    )
    fit.labels = labels
    return fit.fit(x)


def quarters(x, k):
    """Labels by equal parts of the sorted first column."""
    labels = np.empty(len(x), dtype=int)
    labels[np.argsort(x[:, 0], kind="stable")] = np.arange(len(x)) * k // len(x)
    return labels


def main():
    x = read("faithful")
    means = np.array([[2.0, 55.0], [4.5, 80.0]])
    out = {"scikit_learn": sklearn.__version__, "numpy": np.__version__}
    out["em"] = {
        shape: [em(x, shape, means, n, reg_covar=0)[1] for n in (1, 5, 50)]
        for shape in SHAPES
    }

    # The ridge, in other units: minutes, hours, days.
    out["ridge"] = []
    for unit in (1.0, 1 / 60, 1 / 1440):
        fit, total = em(x * unit, "full", means * unit, 100)
        out["ridge"].append(
            {
                "unit": unit,
                "log_likelihood": total,
                "variances_over_minutes": [
                    float(c[0, 0] / unit**2) for c in fit.covariances_
                ],
                "steps_down": int(np.sum(np.diff(fit.lower_bounds_) < -1e-12)),
            }
        )

    # An offset common to all the data.
    out["offset"] = {}
    for shape in SHAPES:
        for offset in (1e6, 1e8):
            try:
                total = em(x + offset, shape, means + offset, 50, reg_covar=0)[1]
            except ValueError:
                total = None  # "ill-defined empirical covariance"
            out["offset"].setdefault(shape, []).append(total)

    # Variational Bayes: the same posterior, another bound.
    prior = dict(
        weight_concentration_prior_type="dirichlet_distribution",
        weight_concentration_prior=1.0,
        mean_precision_prior=0.1,
        mean_prior=x.mean(axis=0),
        degrees_of_freedom_prior=4.0,
        covariance_prior=np.cov(x.T, bias=True),
    )
    out["vb"] = []
    for k in (1, 2, 3):
        fit = vb(x, quarters(x, k), k, **prior)
        out["vb"].append(
            {
                "k": k,
                "bound": float(fit.lower_bound_),
                "alpha": fit.weight_concentration_.tolist(),
                "means": fit.means_.tolist(),
                "nu": fit.degrees_of_freedom_.tolist(),
            }
        )
    diagonal = {**prior, "covariance_prior": np.var(x, axis=0)}
    spherical = {**prior, "covariance_prior": float(np.var(x, axis=0).mean())}
    out["vb_tied_nu"] = float(vb(x, quarters(x, 2), 2, "tied", **prior).degrees_of_freedom_)
    out["vb_diagonal_nu"] = vb(
        x, quarters(x, 2), 2, "diagonal", **diagonal
    ).degrees_of_freedom_.tolist()
    out["vb_spherical_nu"] = vb(
        x, quarters(x, 2), 2, "spherical", **spherical
    ).degrees_of_freedom_.tolist()

    # Is exp(score_samples) a density? In one dimension, on a fine grid.
    out["mass"] = []
    grid = np.linspace(-60, 60, 240_001).reshape(-1, 1)
    rows = read("notebook")[:, :1]
    for n in (10, 100, 1000):
        y = rows[:n]
        fit = vb(
            y,
            quarters(y, 2),
            2,
            weight_concentration_prior_type="dirichlet_distribution",
            weight_concentration_prior=1.0,
            mean_precision_prior=0.1,
            mean_prior=[float(y.mean())],
            degrees_of_freedom_prior=3.0,
            covariance_prior=np.array([[float(y.var())]]),
        )
        mass = np.exp(fit.score_samples(grid)).sum() * (grid[1, 0] - grid[0, 0])
        out["mass"].append({"n": n, "mass": float(mass)})

    json.dump(out, sys.stdout, indent=1)
    print()


if __name__ == "__main__":
    main()
