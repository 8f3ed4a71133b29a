//! Many equal marks, gathered into few paths.
//!
//! One path is painted once, so marks that overlap in it would not darken each other as they do
//! when drawn one by one. Marks are therefore dealt into layers, none of which overlaps itself:
//! painted one after the other, the layers look as the single marks would.

use std::collections::{BTreeMap, HashMap};

use super::geometry::Spot;

/// The layers, first to last; each keeps the order of the marks. `reach` is the distance from which
/// on two marks do not touch.
pub(super) fn layers(spots: &[Spot], reach: i32) -> Vec<Vec<Spot>> {
    let cell = |(x, y): Spot| (x.div_euclid(reach), y.div_euclid(reach));
    let mut near: HashMap<Spot, Vec<(Spot, usize)>> = HashMap::new();
    let mut layers: Vec<Vec<Spot>> = Vec::new();
    let mut taken = Vec::new();
    for &spot in spots {
        let (i, j) = cell(spot);
        taken.clear();
        taken.resize(layers.len(), false);
        for key in (-1..=1).flat_map(|di| (-1..=1).map(move |dj| (i + di, j + dj))) {
            for &((x, y), layer) in near.get(&key).into_iter().flatten() {
                let (dx, dy) = (i64::from(x - spot.0), i64::from(y - spot.1));
                taken[layer] |= dx * dx + dy * dy < i64::from(reach).pow(2);
            }
        }
        let layer = taken.iter().position(|t| !t).unwrap_or(layers.len());
        if layer == layers.len() {
            layers.push(Vec::new());
        }
        layers[layer].push(spot);
        near.entry((i, j)).or_default().push((spot, layer));
    }
    layers
}

/// The layers of marks of several kinds, with their kinds. The first layers of all kinds come
/// before any second one, so that no kind hides another; within a round kinds come in the order
/// in which the data first show them.
pub(super) fn mixed_layers<K: Ord + Copy>(
    marks: &[(K, Spot)],
    reach: i32,
) -> Vec<(K, Vec<Spot>)> {
    let mut kinds: Vec<(K, Vec<Spot>)> = Vec::new();
    let mut index: BTreeMap<K, usize> = BTreeMap::new();
    for &(kind, spot) in marks {
        let i = *index.entry(kind).or_insert_with(|| {
            kinds.push((kind, Vec::new()));
            kinds.len() - 1
        });
        kinds[i].1.push(spot);
    }
    let mut rounds: Vec<Vec<(K, Vec<Spot>)>> = Vec::new();
    for (kind, spots) in kinds {
        for (round, layer) in layers(&spots, reach).into_iter().enumerate() {
            if round == rounds.len() {
                rounds.push(Vec::new());
            }
            rounds[round].push((kind, layer));
        }
    }
    rounds.into_iter().flatten().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn far(a: Spot, b: Spot, reach: i32) -> bool {
        (a.0 - b.0).pow(2) + (a.1 - b.1).pow(2) >= reach * reach
    }

    #[test]
    fn no_layer_overlaps_itself_and_no_mark_is_lost() {
        let mut spots: Vec<Spot> =
            (0..700).map(|i| (i * 37 % 211 - 100, i * 53 % 199 - 100)).collect();
        spots.extend([(5, 5), (5, 5), (5, 5)]);
        let layers = layers(&spots, 20);
        for layer in &layers {
            for (i, a) in layer.iter().enumerate() {
                assert!(layer[..i].iter().all(|b| far(*a, *b, 20)));
            }
        }
        let mut kept = layers.concat();
        kept.sort_unstable();
        spots.sort_unstable();
        assert_eq!(kept, spots);
    }

    #[test]
    fn kinds_take_turns() {
        let marks = [('b', (0, 0)), ('a', (0, 0)), ('b', (1, 0)), ('a', (90, 0))];
        assert_eq!(
            mixed_layers(&marks, 10),
            [('b', vec![(0, 0)]), ('a', vec![(0, 0), (90, 0)]), ('b', vec![(1, 0)])]
        );
    }
}
