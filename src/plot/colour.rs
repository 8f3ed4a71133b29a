//! The colours of figures.

use plotters_backend::BackendColor;

/// Mid tones that stay apart for colour-blind readers and keep a contrast of at least 3 both on
/// white and, inverted, on a dark page.
const PALETTE: [(u8, u8, u8); 8] = [
    (0x20, 0x58, 0xb0), // blue
    (0xd9, 0x66, 0x1f), // orange
    (0x20, 0xa3, 0x8c), // teal
    (0x92, 0x2b, 0x50), // crimson
    (0xb5, 0x65, 0xcc), // violet
    (0x3f, 0x8f, 0xb5), // steel
    (0xb0, 0x8a, 0x14), // gold
    (0x7d, 0x6a, 0x58), // brown
];

/// What a mark is drawn in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Colour {
    /// Black, the colour of the text.
    Ink,
    /// A middle grey, for what stands back.
    Grey,
    /// The colour of component k: there are eight, and then they repeat.
    Component(usize),
}

impl Colour {
    /// The colour of component `k`, the same in every figure.
    #[must_use]
    pub const fn component(k: usize) -> Colour {
        Colour::Component(k)
    }

    pub(super) fn rgb(self) -> (u8, u8, u8) {
        match self {
            Colour::Ink => (0, 0, 0),
            Colour::Grey => (0x77, 0x77, 0x77),
            Colour::Component(k) => PALETTE[k % PALETTE.len()],
        }
    }

    pub(super) fn with_alpha(self, alpha: f64) -> BackendColor {
        BackendColor { rgb: self.rgb(), alpha }
    }
}

/// The mean of the components' colours under these weights.
pub(super) fn blend(weights: impl Iterator<Item = f64>) -> (u8, u8, u8) {
    let mut sum = [0.0f64; 3];
    for (k, weight) in weights.enumerate() {
        let (r, g, b) = Colour::component(k).rgb();
        for (total, channel) in sum.iter_mut().zip([r, g, b]) {
            *total += weight * f64::from(channel);
        }
    }
    // Aside from the halves, where the last bit of a weight would decide.
    let [r, g, b] =
        sum.map(|channel| (channel + 0.5 + 1e-4).floor().clamp(0.0, 255.0) as u8);
    (r, g, b)
}

/// One of few colours in place of a blend: a component's own where that is near, or else the
/// nearest with 16 steps a channel.
pub(super) fn few((r, g, b): (u8, u8, u8)) -> (u8, u8, u8) {
    const STEP: u8 = 17;
    let near = |&(x, y, z): &(u8, u8, u8)| {
        [(r, x), (g, y), (b, z)].iter().all(|(c, d)| c.abs_diff(*d) <= STEP / 2)
    };
    let round = |c: u8| (c / STEP + u8::from(c % STEP > STEP / 2)) * STEP;
    PALETTE.iter().copied().find(near).unwrap_or((round(r), round(g), round(b)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_hot_weights_give_the_component_and_mixed_ones_lie_between() {
        assert_eq!(blend([0.0, 1.0, 0.0].into_iter()), Colour::component(1).rgb());
        let (r, _, _) = blend([0.5, 0.5].into_iter());
        assert_eq!(r, ((0x20 + 0xd9) as f64 / 2.0).round() as u8);
    }

    #[test]
    fn few_colours_are_near_and_keep_those_of_the_components() {
        let mut seen = std::collections::BTreeSet::new();
        for i in 0..=1000 {
            let weight = f64::from(i) / 1000.0;
            let exact = blend([weight, 1.0 - weight].into_iter());
            let (r, g, b) = few(exact);
            for (c, d) in [(r, exact.0), (g, exact.1), (b, exact.2)] {
                assert!(c.abs_diff(d) <= 8, "{exact:?}");
            }
            seen.insert((r, g, b));
        }
        assert!(seen.len() < 32, "{}", seen.len());
        assert_eq!(few((255, 0, 247)), (255, 0, 255));
        for colour in PALETTE {
            assert_eq!(few(colour), colour);
        }
    }
}
