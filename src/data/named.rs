use nalgebra::DMatrix;

use super::Table;

/// Old Faithful: 272 eruptions of the geyser, duration and waiting time until the next, both in
/// minutes (272×2).
///
/// Source: W. Härdle, *Smoothing Techniques with Implementation in S*, Springer 1991, as in R's
/// `faithful`. Azzalini and Bowman, *Applied Statistics* 39 (1990), 357–365, study a more complete
/// version.
///
/// ```
/// let x = mixtures::data::faithful();
/// assert_eq!(x.shape(), (272, 2));
/// assert_eq!((x[(0, 0)], x[(0, 1)]), (3.6, 79.0));
/// ```
pub fn faithful() -> DMatrix<f64> {
    embedded("faithful.csv", include_str!("../../data/faithful.csv"))
}

/// The notebook's 1000 points in the plane (1000×2), drawn from [`notebook_truth`].
///
/// [`notebook_truth`]: super::notebook_truth
pub fn notebook() -> DMatrix<f64> {
    embedded("notebook.csv", include_str!("../../data/notebook.csv"))
}

/// Anderson's irises: 150 flowers, fifty of each of three species, in that order (*setosa*,
/// *versicolor*, *virginica*); length and width of sepal and petal in centimetres (150×4).
///
/// Source: E. Anderson, *Bulletin of the American Iris Society* 59 (1935), 2–5; R. A. Fisher,
/// *Annals of Eugenics* 7 (1936), 179–188.
///
/// ```
/// let x = mixtures::data::iris();
/// assert_eq!(x.shape(), (150, 4));
/// assert_eq!(x.row(0).iter().copied().collect::<Vec<_>>(), [5.1, 3.5, 1.4, 0.2]);
/// ```
pub fn iris() -> DMatrix<f64> {
    Table::parse("iris.csv", IRIS.as_bytes())
        .and_then(|table| {
            let measures = &table.names()[..4];
            table.columns(&measures.iter().map(String::as_str).collect::<Vec<_>>())
        })
        .expect("the embedded data sets are read by the tests")
}

/// The species of each row of [`iris`].
pub fn iris_species() -> Vec<&'static str> {
    IRIS.lines().skip(1).filter_map(|line| line.rsplit(',').next()).collect()
}

const IRIS: &str = include_str!("../../data/iris.csv");

/// The velocities of 82 galaxies in the region of Corona Borealis, in thousands of kilometres a
/// second (82×1), rising.
///
/// Source: K. Roeder, *Journal of the American Statistical Association* 85 (1990), 617–624.
///
/// ```
/// let x = mixtures::data::galaxies();
/// assert_eq!((x.shape(), x[(0, 0)], x[(81, 0)]), ((82, 1), 9.172, 34.279));
/// ```
pub fn galaxies() -> DMatrix<f64> {
    embedded("galaxies.csv", include_str!("../../data/galaxies.csv")) / 1000.0
}

fn embedded(name: &str, text: &str) -> DMatrix<f64> {
    Table::parse(name, text.as_bytes())
        .and_then(|table| table.matrix())
        .expect("the embedded data sets are read by the tests")
}
