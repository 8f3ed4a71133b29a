use approx::assert_relative_eq;
use mixtures::nalgebra::{DMatrix, DVector};
use mixtures::{Moments, Result, data};

// ANCHOR: forgetting
#[test]
fn forgetting_keeps_a_hundred_points_in_mind() -> Result<()> {
    let x = data::faithful();
    let mut moments = Moments::about(x.row(0).transpose());
    for n in 0..2000 {
        moments.scale(0.99)?;
        moments.push(x.row(n % x.nrows()), 1.0)?;
    }
    assert_relative_eq!(moments.count(), 100.0, epsilon = 1e-6);
    Ok(())
}
// ANCHOR_END: forgetting

// ANCHOR: twice
#[test]
fn a_weight_of_two_is_the_point_twice() -> Result<()> {
    let x = data::faithful();
    let mut once = Moments::about(x.row(0).transpose());
    let mut twice = once.clone();
    for row in x.row_iter() {
        once.push(row, 2.0)?;
        twice.push(row, 1.0)?;
        twice.push(row, 1.0)?;
    }
    assert_eq!(once.count(), twice.count());
    assert_eq!(once.mean(), twice.mean());
    assert_relative_eq!(once.scatter(), twice.scatter(), max_relative = 1e-14);
    Ok(())
}
// ANCHOR_END: twice

// ANCHOR: between
#[test]
fn four_fifths_of_the_variance_is_between() -> Result<()> {
    let x = data::faithful();
    let nothing = Moments::about(DVector::from_element(1, 70.0));
    let mut groups = [nothing.clone(), nothing];
    for row in x.row_iter() {
        let waiting = DMatrix::from_element(1, 1, row[1]);
        groups[usize::from(row[0] >= 3.0)].push(waiting.row(0), 1.0)?;
    }
    let [mut whole, long] = groups;
    let within = whole.scatter()[0] + long.scatter()[0];
    whole.merge(&long)?;
    let between = 1.0 - within / whole.scatter()[0];
    assert!(between > 0.79 && between < 0.81);
    let s = Moments::of(&x)?.scatter();
    assert_relative_eq!(
        s[(0, 1)] / (s[(0, 0)] * s[(1, 1)]).sqrt(),
        0.9,
        epsilon = 5e-3
    );
    Ok(())
}
// ANCHOR_END: between
