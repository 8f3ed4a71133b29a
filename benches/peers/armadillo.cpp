// armadillo FILE ROWS COLUMNS K ITERATIONS: seconds of a fit by Armadillo's gmm_full, from the first K
// rows as means, equal weights and the data's covariance; and the log likelihood that it reaches.

#include <armadillo>
#include <chrono>
#include <cstdio>
#include <cstdlib>

int main(int, char** argv) {
    const arma::uword n = std::atoll(argv[2]), d = std::atoll(argv[3]), k = std::atoll(argv[4]);
    arma::mat x(n, d);
    FILE* file = std::fopen(argv[1], "rb");
    if (!file || std::fread(x.memptr(), sizeof(double), n * d, file) != n * d) return 1;
    std::fclose(file);
    const arma::mat points = x.t();
    const arma::mat sigma = arma::cov(points.t(), 1);
    arma::cube covariances(d, d, k);
    for (arma::uword i = 0; i < k; ++i) covariances.slice(i) = sigma;
    arma::gmm_full model;
    model.set_params(points.cols(0, k - 1), covariances, arma::rowvec(k).fill(1.0 / k));
    const auto begin = std::chrono::steady_clock::now();
    model.learn(points, k, arma::maha_dist, arma::keep_existing, 0, std::atoi(argv[5]), 1e-10, false);
    const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - begin;
    std::printf("{\"seconds\": %.9f, \"log_likelihood\": %.9f}\n", seconds.count(),
                model.sum_log_p(points));
}
