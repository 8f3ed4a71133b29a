//! Contour lines by marching squares, joined into long polylines.

/// The sampled function: `values[j * (columns + 1) + i]` at column i, row j of a regular grid.
pub(super) struct Grid {
    pub columns: usize,
    pub rows: usize,
    pub values: Vec<f64>,
}

/// A crossing lies on one edge of the grid: from node (i, j) to the right or upwards. Edges are the
/// keys by which the segments of neighbouring cells find each other, exactly.
type Edge = usize;

impl Grid {
    /// Samples `f(u, v)` for u and v in [0, 1].
    pub(super) fn sample(
        columns: usize,
        rows: usize,
        mut f: impl FnMut(f64, f64) -> f64,
    ) -> Grid {
        let mut values = Vec::with_capacity((columns + 1) * (rows + 1));
        for j in 0..=rows {
            for i in 0..=columns {
                values.push(f(i as f64 / columns as f64, j as f64 / rows as f64));
            }
        }
        Grid { columns, rows, values }
    }

    /// The level set as polylines of (u, v); a closed one repeats its first point at the end.
    pub(super) fn contour(&self, level: f64) -> Vec<Vec<(f64, f64)>> {
        // A node that lies on the level would be decided by the last bit of `f`, which differs
        // between processors: keep clear of such ties.
        let level = level + 1e-9 * level.abs();
        let mut links = vec![[None; 2]; 2 * self.values.len()];
        let mut ends: Vec<Edge> = Vec::new();
        for j in 0..self.rows {
            for i in 0..self.columns {
                for [a, b] in self.segments(i, j, level).into_iter().flatten() {
                    for (from, to) in [(a, b), (b, a)] {
                        let slot = usize::from(links[from][0].is_some());
                        links[from][slot] = Some(to);
                    }
                    ends.push(a);
                }
            }
        }
        // Open lines first, from one of their ends; what then remains is closed.
        let open: Vec<Edge> = (0..links.len())
            .filter(|&e| links[e][0].is_some() && links[e][1].is_none())
            .collect();
        let mut lines = Vec::new();
        for start in open.into_iter().chain(ends) {
            if links[start][0].is_none() {
                continue;
            }
            let mut line = vec![self.crossing(start, level)];
            let mut at = start;
            while let Some(next) = links[at].iter_mut().find_map(Option::take) {
                if let Some(back) =
                    links[next].iter_mut().find(|link| **link == Some(at))
                {
                    *back = None;
                }
                // `find_map` takes the first link, which may leave the second: keep it in front.
                if links[at][0].is_none() {
                    links[at].swap(0, 1);
                }
                if links[next][0].is_none() {
                    links[next].swap(0, 1);
                }
                line.push(self.crossing(next, level));
                at = next;
            }
            lines.push(line);
        }
        lines
    }

    fn node(&self, i: usize, j: usize) -> usize {
        j * (self.columns + 1) + i
    }

    /// The pieces of the level set in one cell, as pairs of crossed edges.
    fn segments(&self, i: usize, j: usize, level: f64) -> [Option<[Edge; 2]>; 2] {
        let corners = [(i, j), (i + 1, j), (i + 1, j + 1), (i, j + 1)]
            .map(|(i, j)| self.values[self.node(i, j)]);
        let above = corners.map(|value| value > level);
        let [bottom, right, top, left] = [
            2 * self.node(i, j),
            2 * self.node(i + 1, j) + 1,
            2 * self.node(i, j + 1),
            2 * self.node(i, j) + 1,
        ];
        let edges = [bottom, right, top, left];
        let crossed: Vec<Edge> = (0..4)
            .filter(|&e| above[e] != above[(e + 1) % 4])
            .map(|e| edges[e])
            .collect();
        match crossed[..] {
            [a, b] => [Some([a, b]), None],
            [_, _, _, _] => {
                // A saddle: the mean of the corners says whether the high corners are joined.
                let joined = corners.iter().sum::<f64>() / 4.0 > level;
                if above[0] == joined {
                    [Some([bottom, right]), Some([top, left])]
                } else {
                    [Some([bottom, left]), Some([top, right])]
                }
            }
            _ => [None, None],
        }
    }

    fn crossing(&self, edge: Edge, level: f64) -> (f64, f64) {
        let (node, upwards) = (edge / 2, edge % 2 == 1);
        let (i, j) = (node % (self.columns + 1), node / (self.columns + 1));
        let next = if upwards { self.node(i, j + 1) } else { self.node(i + 1, j) };
        let (a, b) = (self.values[node], self.values[next]);
        let t = ((level - a) / (b - a)).clamp(0.0, 1.0);
        let (du, dv) = if upwards { (0.0, t) } else { (t, 0.0) };
        ((i as f64 + du) / self.columns as f64, (j as f64 + dv) / self.rows as f64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn on(f: impl Fn(f64, f64) -> f64) -> Grid {
        Grid::sample(80, 60, |u, v| f(4.0 * u - 2.0, 3.0 * v - 1.5))
    }

    #[test]
    fn the_unit_circle_is_one_closed_line_at_radius_one() {
        let lines = on(|x, y| x * x + y * y).contour(1.0);
        assert_eq!(lines.len(), 1);
        assert_eq!(lines[0].first(), lines[0].last());
        assert!(lines[0].len() > 100);
        for &(u, v) in &lines[0] {
            let radius = (4.0 * u - 2.0).hypot(3.0 * v - 1.5);
            // Linear interpolation over a step h errs by h²/8 at most where f'' = 2, |f'| = 2.
            assert!((radius - 1.0).abs() < 0.05f64.powi(2) / 4.0, "{radius}");
        }
    }

    #[test]
    fn a_line_that_leaves_the_grid_stays_open_and_in_one_piece() {
        let lines = on(|x, y| y - 0.3 * x).contour(0.1);
        assert_eq!(lines.len(), 1);
        assert_ne!(lines[0].first(), lines[0].last());
        let ends = [lines[0][0].0, lines[0][lines[0].len() - 1].0];
        assert!(ends.contains(&0.0) && ends.contains(&1.0));
    }

    #[test]
    fn a_saddle_gives_two_branches() {
        assert_eq!(on(|x, y| x * y).contour(0.01).len(), 2);
        assert_eq!(on(|x, y| x * y).contour(-0.01).len(), 2);
    }

    #[test]
    fn nothing_is_found_where_the_level_is_not_reached() {
        assert!(on(|x, y| x * x + y * y).contour(100.0).is_empty());
    }
}
