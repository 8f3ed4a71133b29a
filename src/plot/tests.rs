//! What every figure must keep, whatever is in it.

mod bad_input;

use super::{Chart, Colour, Diagram, Legend, output};
use nalgebra::{DMatrix, dmatrix, dvector};

/// Points spread over the plane without a random number.
fn spread(n: usize) -> DMatrix<f64> {
    DMatrix::from_fn(n, 2, |i, j| {
        ((i * (7 + 4 * j)) as f64 * 0.618_034).fract() * (1.0 + j as f64)
    })
}

fn everything() -> Chart<'static> {
    let x = spread(60);
    let labels: Vec<usize> = (0..60).map(|i| i % 9).collect();
    let r = DMatrix::from_fn(60, 2, |i, k| {
        if k == 0 { i as f64 / 60.0 } else { 1.0 - i as f64 / 60.0 }
    });
    let line = [(0.0, 0.2), (0.5, 0.9), (1.0, 0.4)];
    Chart::new("a <b> & c", "x_n")
        .heading("all & sundry")
        .scatter(&x, Colour::Grey)
        .scatter_by_label(&x, &labels)
        .scatter_by_responsibility(&x, &r)
        .components(
            &dmatrix![0.5, 0.5; 0.2, 1.5],
            &[dmatrix![0.1, 0.0; 0.0, 0.2], dmatrix![0.1, 0.05; 0.05, 0.2]],
            0.9,
        )
        .contours(|x, y| x * x + y * y, &[0.5, 1.0], Colour::Ink)
        .with_label("level")
        .line("line", line, Colour::component(0))
        .dashed("dashed", line.as_slice(), Colour::component(1))
        .dotted("dotted", line.iter(), Colour::component(2))
        .steps("steps", line, Colour::component(3))
        .trace("trace", [0.1, 0.4, 0.5], Colour::component(4))
        .dots("dots", line, Colour::component(5))
        .curve("curve", |x| x.sin(), Colour::component(6))
        .histogram("histogram", [0.0, 0.2, 0.3, 1.0], 3, Colour::Grey)
        .band("band", [(0.0, 0.1, 0.2), (1.0, 0.3, 0.6)], Colour::component(7))
        .vertical(0.5, "here & now")
        .horizontal(0.5, "level")
        .text(0.5, 0.5, "<text>")
}

fn model() -> Diagram {
    Diagram::new()
        .parameter("pi", "π", 0.0, 0.0)
        .node("z", "z_n", 1.0, 0.0)
        .observed("x", "x_n", 2.0, 0.0)
        .plate(&["z", "x"], "N & co")
        .arrow("pi", "z")
        .arrow("z", "x")
}

#[test]
fn the_same_figure_gives_the_same_bytes() {
    assert_eq!(
        everything().to_svg().expect("draws"),
        everything().to_svg().expect("draws")
    );
    assert_eq!(model().to_svg().expect("draws"), model().to_svg().expect("draws"));
}

#[test]
fn noise_in_the_last_bits_does_not_show() {
    let draw = |noise: f64| {
        Chart::new("x", "y")
            .scatter(&(spread(500) * (1.0 + noise)), Colour::Ink)
            .ellipse(
                &dvector![0.5, 1.0 + noise],
                &dmatrix![0.1, 0.02; 0.02, 0.3 + noise],
                0.9,
                Colour::Ink,
            )
            .contours(
                |x, y| (x * x + y * y) * (1.0 + noise),
                &[0.25, 1.0],
                Colour::Ink,
            )
            .x_range(0.0..1.0)
            .y_range(0.0..2.0)
            .to_svg()
            .expect("draws")
    };
    assert_eq!(draw(0.0), draw(3e-15));
    assert_eq!(draw(0.0), draw(-3e-15));
}

#[test]
fn nothing_lies_behind_a_figure_and_its_text_is_escaped() {
    for svg in
        [everything().to_svg().expect("draws"), model().to_svg().expect("draws")]
    {
        assert!(!svg.contains("<rect"), "{svg}");
        assert!(svg.contains("viewBox"));
        let bare = svg.replace("&amp;", "").replace("&lt;", "").replace("&gt;", "");
        assert!(!bare.contains('&'), "{bare}");
        assert_eq!(svg.matches("<g").count(), svg.matches("</g>").count());
        assert_eq!(svg.matches("<text").count(), svg.matches("</text>").count());
        assert_eq!(svg.matches("<tspan").count(), svg.matches("</tspan>").count());
        for host in ["http", "url(", "href"] {
            let inside = svg.replace("http://www.w3.org/2000/svg", "");
            assert!(!inside.contains(host), "{host}");
        }
    }
    let svg = everything().to_svg().expect("draws");
    assert!(svg.contains("a &lt;b&gt; &amp; c"));
    assert!(svg.contains("&lt;text&gt;"));
}

#[test]
fn a_thousand_points_are_all_there_in_less_than_thirty_kilobytes() {
    let x = spread(1000);
    let labels: Vec<usize> = (0..1000).map(|i| i * 31 % 7).collect();
    let r = DMatrix::from_fn(1000, 2, |i, k| (k as f64 - i as f64 / 1000.0).abs());
    let chart = || Chart::new("x", "y");
    for chart in [
        chart().scatter(&x, Colour::Ink),
        chart().scatter_by_label(&x, &labels),
        chart().scatter_by_responsibility(&x, &r),
    ] {
        let svg = chart.to_svg().expect("draws");
        assert!(svg.len() < 30_000, "{}", svg.len());
        let marks: usize = svg
            .lines()
            .filter(|l| l.starts_with("<path stroke") || l.starts_with("<path fill"))
            .map(|l| l.matches("h0").count() + l.matches('z').count())
            .sum();
        assert_eq!(marks, 1000);
    }
}

#[test]
fn what_lies_outside_a_fixed_range_is_not_drawn() {
    let chart = |points: &[(f64, f64)]| {
        Chart::new("x", "y")
            .x_range(0.0..1.0)
            .y_range(0.0..1.0)
            .dots("", points, Colour::Ink)
            .to_svg()
            .expect("draws")
    };
    let inside = [(0.5, 0.5), (1.0, 0.0)];
    let beyond =
        [(0.5, 0.5), (1.0, 0.0), (1.1, 0.5), (0.5, -1e300), (f64::MAX, f64::MIN)];
    assert_eq!(chart(&inside), chart(&beyond));
    let line = [(-1e308, 0.5), (1e308, 0.5)];
    let svg = Chart::new("x", "y")
        .x_range(0.0..1.0)
        .y_range(0.0..1.0)
        .line("", line, Colour::Ink)
        .to_svg();
    assert!(svg.is_ok());
}

#[test]
fn the_legend_is_there_unless_hidden() {
    let chart = || {
        Chart::new("x", "y").line("the label", [(0.0, 0.0), (1.0, 1.0)], Colour::Ink)
    };
    let places = [
        Legend::Auto,
        Legend::Above,
        Legend::TopLeft,
        Legend::TopRight,
        Legend::BottomLeft,
        Legend::BottomRight,
    ];
    for place in places {
        assert!(
            chart().legend(place).to_svg().expect("draws").contains("the label"),
            "{place:?}"
        );
    }
    assert!(
        !chart()
            .legend(Legend::Hidden)
            .to_svg()
            .expect("draws")
            .contains("the label")
    );
    // The rising line leaves the top left free, and passes through the top right.
    let auto = chart().to_svg().expect("draws");
    assert_eq!(auto, chart().legend(Legend::TopLeft).to_svg().expect("draws"));
    assert_ne!(auto, chart().legend(Legend::TopRight).to_svg().expect("draws"));
}

#[test]
fn a_legend_keeps_clear_of_data_and_the_grid_of_the_legend() {
    let line = [(0.0, 1.0), (1.0, 1.0)];
    let chart =
        || Chart::new("x", "y").line("a label", line, Colour::Ink).y_range(0.0..2.0);
    let svg = |chart: Chart<'_>| chart.to_svg().expect("draws");
    let (corner, above) =
        (chart().legend(Legend::TopRight), chart().legend(Legend::Above));
    assert_eq!(svg(chart()), svg(corner.clone()));
    // A mark in each corner, or a curve through all of them.
    let marks = [(0.02, 0.1), (0.98, 0.1), (0.02, 1.9), (0.98, 1.9)];
    let wave = |x: f64| 1.0 + 0.98 * (60.0 * x).sin();
    for crowd in [
        |c: Chart<'static>, marks: &[(f64, f64)], _| c.dots("", marks, Colour::Ink),
        |c: Chart<'static>, _: &[(f64, f64)], wave| c.curve("", wave, Colour::Ink),
    ] {
        let crowded = |chart| svg(crowd(chart, &marks, wave));
        assert_eq!(crowded(chart()), crowded(above.clone()));
        assert_ne!(crowded(chart()), crowded(corner.clone()));
    }
    // A dot in a corner would be taken for one of the data.
    let dots = || Chart::new("x", "y").dots("a label", line, Colour::Ink);
    assert_eq!(svg(dots()), svg(dots().legend(Legend::Above)));
    // The grid stops at a legend in the plot, by at least the legend's height.
    let length = |place| {
        let svg = svg(chart().legend(place).x_range(-0.1..1.0));
        let grid = svg.split("stroke-opacity=\"0.13\"").nth(1).expect("a grid");
        let lines = grid.split("</g>").next().expect("ends").split('l').skip(1);
        let steps = lines.filter_map(|l| l.split('"').next());
        steps
            .flat_map(|step| step.split(' '))
            .map(|n| n.parse::<f64>().expect("a number"))
            .sum::<f64>()
    };
    assert!(length(Legend::TopLeft) < length(Legend::Hidden) - 21.0 * 8.0);
}

#[test]
fn equal_aspect_draws_a_round_gaussian_round() {
    let svg = Chart::new("x", "y")
        .equal_aspect()
        .x_range(-5.0..5.0)
        .y_range(-2.0..2.0)
        .ellipse(
            &dvector![0.0, 0.0],
            &dmatrix![1.0, 0.0; 0.0, 1.0],
            0.5,
            Colour::component(0),
        )
        .to_svg()
        .expect("draws");
    let path = svg.lines().find(|l| l.ends_with("z\"/>")).expect("a closed path");
    let numbers = path
        .replace(
            ['M', 'l', 'z', '"', '=', '<', '>', '/', 'd', 'p', 'a', 't', 'h'],
            " ",
        )
        .replace('-', " -");
    let steps: Vec<i32> =
        numbers.split_whitespace().map(|n| n.parse().expect("a number")).collect();
    let (mut at, mut spots) = ((0, 0), Vec::new());
    for step in steps.chunks(2) {
        at = (at.0 + step[0], at.1 + step[1]);
        spots.push(at);
    }
    let size = |values: Vec<i32>| {
        values.iter().max().expect("some") - values.iter().min().expect("some")
    };
    let width = size(spots.iter().map(|s| s.0).collect());
    let height = size(spots.iter().map(|s| s.1).collect());
    assert!((width - height).abs() <= 2 && width > 100, "{width} × {height}");
}

#[test]
fn crosses_and_ellipses_lie_on_halos_above_the_points() {
    let svg = Chart::new("x", "y")
        .scatter(&spread(9), Colour::component(0))
        .components(
            &dmatrix![0.5, 1.0; 0.4, 0.9],
            &[dmatrix![0.1, 0.0; 0.0, 0.2], dmatrix![0.2, 0.0; 0.0, 0.1]],
            0.5,
        )
        .to_svg()
        .expect("draws");
    let strokes: Vec<&str> =
        svg.lines().filter(|line| line.contains("stroke=\"#")).collect();
    let colours: Vec<&str> = strokes
        .iter()
        .filter_map(|line| line.split("stroke=\"").nth(1)?.split('"').next())
        .filter(|colour| *colour != "#000")
        .collect();
    // Both ellipses, then both crosses.
    let each = ["#fff", "#2058b0", "#fff", "#d9661f"];
    assert_eq!(colours[colours.len() - 8..], [each, each].concat());
}

#[test]
fn labels_of_panels_are_legible_on_a_phone() {
    let chart = || Chart::new("x_1", "x_2").scatter(&spread(9), Colour::Ink);
    for columns in 1..=4 {
        let charts = vec![chart(); columns];
        let svg = super::page::draw(&charts, columns).expect("draws");
        let view = svg.split("viewBox=\"0 0 ").nth(1).expect("a viewBox");
        let units: f64 =
            view.split(' ').next().and_then(|w| w.parse().ok()).expect("a width");
        let sizes = svg.split("<g font-size=\"").skip(1);
        for size in sizes.filter_map(|s| s.split('"').next()?.parse::<f64>().ok()) {
            assert!(size * 360.0 / units >= 8.0, "{size} of {units}");
        }
    }
    let alone = chart().size(300.0, 200.0);
    let pair = super::page::draw(&[alone.clone(), alone], 2).expect("draws");
    assert!(pair.contains("width=\"624\" height=\"200\""), "{pair}");
}

#[test]
fn files_are_written_where_asked_and_only_under_plain_names() {
    let folder =
        std::env::temp_dir().join(format!("mixtures-plot-{}", std::process::id()));
    let chart = everything();
    chart.save_in(&folder, "ch00-test").expect("writes");
    let written =
        std::fs::read_to_string(folder.join("ch00-test.svg")).expect("is there");
    assert_eq!(written, chart.to_svg().expect("draws"));
    model().save_in(&folder, "model").expect("writes");
    for name in ["", "../up", "a/b", "a\\b", "a.svg", ".hidden", "ü"] {
        let error = chart.save_in(&folder, name).expect_err("a bad name");
        assert!(error.to_string().contains("a name is made of"), "{error}");
    }
    let blocked = chart
        .save_in(folder.join("model.svg"), "x")
        .expect_err("a file is no folder");
    assert!(blocked.to_string().contains("cannot write"), "{blocked}");
    std::fs::remove_dir_all(&folder).expect("can be removed");
    if std::env::var_os("MIXTURES_FIGURES").is_none() {
        assert!(output::folder().ends_with("book/figures"));
    }
}

#[test]
fn labels_of_ticks_have_room_at_the_left() {
    let wide = |y: f64| [(0.0, y), (1.0, y + 0.004), (8.0, y + 0.001)];
    for chart in [
        Chart::new("x", "y").line("", wide(-1e4), Colour::Ink),
        Chart::new("x", "y").line("", wide(123_456.0), Colour::Ink),
        // Widened to equal units, the range reaches negative numbers that the data do not have.
        Chart::new("x", "y").equal_aspect().line(
            "",
            [(0.0, 0.1), (9.0, 1.0)],
            Colour::Ink,
        ),
    ] {
        let svg = chart.to_svg().expect("draws");
        let ends =
            svg.split("text-anchor=\"end\">").nth(1).expect("labels of the y axis");
        let ends = ends.split("</g>").next().expect("one group");
        assert!(ends.lines().count() > 3, "{ends}");
        for line in ends.lines().filter(|line| line.starts_with("<text")) {
            let x: f64 =
                line.split('"').nth(1).expect("x").parse().expect("a number");
            let label = line.split(['>', '<']).nth(2).expect("a label");
            assert!(x / 8.0 >= super::text::width(label, 14.0), "{label} at {x}");
        }
    }
}
