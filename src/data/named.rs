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

fn embedded(name: &str, text: &str) -> DMatrix<f64> {
    Table::parse(name, text.as_bytes())
        .and_then(|table| table.matrix())
        .expect("the embedded data sets are read by the tests")
}
