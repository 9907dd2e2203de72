//! Draws what `compare --json` and `growth --json` print, as SVG.

use anyhow::{Context, Result, anyhow, ensure};
use clap::{Parser, Subcommand};
use plotters::coord::Shift;
use plotters::prelude::*;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use std::path::{Path, PathBuf};

const FONT: &str = "sans-serif";
const SPEED_SIZE: (u32, u32) = (1200, 520);
/// What names take of the width.
const LEGEND: u32 = 225;
const GROWTH_SIZE: (u32, u32) = (1200, 520);
/// Of the space for a kernel, what its bars take.
const BARS: f64 = 0.84;

/// Draw results.
#[derive(Parser)]
struct Arguments {
    #[command(subcommand)]
    plot: Plot,
}

#[derive(Subcommand)]
enum Plot {
    /// Steady speed by kernel and contender: what `compare --json` prints.
    Speed {
        /// What is read and written.
        #[command(flatten)]
        files: Files,
        /// Only these contenders, by their full names and in this order, separated by commas.
        #[arg(long, value_delimiter = ',', value_name = "NAMES")]
        contenders: Vec<String>,
    },
    /// Time and memory by program size: what `growth --json` prints.
    Growth(Files),
}

/// What is read and written.
#[derive(clap::Args)]
struct Files {
    /// The SVG file to write.
    output: PathBuf,
    /// JSON files; what they contain is put together.
    #[arg(required = true)]
    inputs: Vec<PathBuf>,
}

fn main() -> Result<()> {
    match Arguments::parse().plot {
        Plot::Speed { files: Files { output, inputs }, contenders } => {
            let runs: Vec<Comparison> = inputs.iter().map(|path| read(path)).collect::<Result<_>>()?;
            let measurements: Vec<_> = runs.into_iter().flat_map(|run| run.measurements).collect();
            speed(&output, &measurements, &contenders)
        }
        Plot::Growth(Files { output, inputs }) => {
            let runs: Vec<Vec<Size>> = inputs.iter().map(|path| read(path)).collect::<Result<_>>()?;
            growth(&output, &runs.concat())
        }
    }
}

fn read<T: DeserializeOwned>(path: &Path) -> Result<T> {
    let text = std::fs::read(path).with_context(|| path.display().to_string())?;
    serde_json::from_slice(&text).with_context(|| path.display().to_string())
}

/// The part of `compare --json` that is drawn.
#[derive(Deserialize)]
struct Comparison {
    measurements: Vec<Measurement>,
}

/// One contender and kernel.
#[derive(Deserialize)]
struct Measurement {
    kernel: String,
    contender: String,
    ratio: f64,
}

/// Bars from native code's time up (or down), on a logarithmic scale: kernels side by side, the geometric mean last.
fn speed(output: &Path, measurements: &[Measurement], chosen: &[String]) -> Result<()> {
    let kernels = distinct(measurements.iter().map(|measurement| measurement.kernel.as_str()));
    let all = distinct(measurements.iter().map(|measurement| measurement.contender.as_str()));
    for name in chosen {
        ensure!(all.contains(&name.as_str()), "no contender `{name}`: there are {}", all.join(", "));
    }
    let contenders: Vec<&str> = match chosen {
        [] => all.into_iter().filter(|name| *name != "native").collect(),
        chosen => chosen.iter().map(String::as_str).collect(),
    };
    ensure!(!contenders.is_empty(), "nothing but native code");
    let ratio = |kernel: &str, contender: &str| {
        let found = measurements.iter().find(|one| one.kernel == kernel && one.contender == contender);
        found.map(|measurement| measurement.ratio)
    };
    let columns: Vec<&str> = kernels.iter().copied().chain(["mean"]).collect();
    let drawn = measurements.iter().filter(|measurement| contenders.contains(&measurement.contender.as_str()));
    let highest = drawn.map(|measurement| measurement.ratio).fold(2.0, f64::max);

    let area = SVGBackend::new(output, SPEED_SIZE).into_drawing_area();
    let draw = |error: &dyn std::fmt::Display| anyhow!("{}: {error}", output.display());
    area.fill(&WHITE).map_err(|error| draw(&error))?;
    let (plot, _) = area.split_horizontally(SPEED_SIZE.0 - LEGEND);
    let mut chart = ChartBuilder::on(&plot)
        .caption("Processor time as a ratio to native code (clang -O2)", (FONT, 20))
        .margin(12)
        .x_label_area_size(30)
        .y_label_area_size(50)
        .build_cartesian_2d(0.0..columns.len() as f64, (0.8..highest * 1.1).log_scale())
        .map_err(|error| draw(&error))?;
    chart
        .configure_mesh()
        .disable_x_mesh()
        .x_labels(0)
        .y_label_formatter(&|ratio| format!("{ratio}"))
        .label_style((FONT, 13))
        .draw()
        .map_err(|error| draw(&error))?;
    let width = BARS / contenders.len() as f64;
    for (index, contender) in contenders.iter().enumerate() {
        let colour = colour(index);
        let mean = geometric_mean(kernels.iter().filter_map(|kernel| ratio(kernel, contender)));
        let bars = columns.iter().enumerate().filter_map(|(column, name)| {
            let height = if *name == "mean" { mean } else { ratio(name, contender) }?;
            let left = column as f64 + (1.0 - BARS) / 2.0 + index as f64 * width;
            Some(Rectangle::new([(left, 1.0), (left + 0.9 * width, height)], colour.filled()))
        });
        chart.draw_series(bars).map_err(|error| draw(&error))?;
    }
    let below = |column: usize| chart.backend_coord(&(column as f64 + 0.5, 0.8));
    let style = (FONT, 14).into_font().color(&BLACK);
    for (column, name) in columns.iter().enumerate() {
        let (x, y) = below(column);
        area.draw_text(name, &style, (x - 4 * name.len() as i32, y + 8)).map_err(|error| draw(&error))?;
    }
    legend(&area, &contenders)?;
    area.present().map_err(|error| draw(&error))
}

/// Names beside squares in their colours, at the right edge.
fn legend(area: &DrawingArea<SVGBackend<'_>, Shift>, names: &[&str]) -> Result<()> {
    let left = (SPEED_SIZE.0 - LEGEND) as i32;
    for (index, name) in names.iter().enumerate() {
        let top = 50 + 20 * index as i32;
        let square = Rectangle::new([(left, top), (left + 11, top + 11)], colour(index).filled());
        area.draw(&square).map_err(|error| anyhow!("{error}"))?;
        let style = (FONT, 13).into_font().color(&BLACK);
        area.draw_text(name, &style, (left + 17, top - 1)).map_err(|error| anyhow!("{error}"))?;
    }
    Ok(())
}

/// The part of `growth --json` that is drawn.
#[derive(Clone, Deserialize)]
struct Size {
    engine: String,
    guest_bytes: f64,
    prepare_seconds: f64,
    compile_seconds: Option<f64>,
    peak_kib: f64,
}

/// A line of a plot: its name and its points.
type Line = (String, Vec<(f64, f64)>);

/// Two plots on logarithmic scales, where what is linear rises by one decade in each: time, and memory at its peak.
fn growth(output: &Path, sizes: &[Size]) -> Result<()> {
    let mut times: Vec<Line> = Vec::new();
    let mut memory: Vec<Line> = Vec::new();
    for engine in distinct(sizes.iter().map(|size| size.engine.as_str())) {
        let own = || sizes.iter().filter(|size| size.engine == engine);
        let prepare = own().filter(|size| size.prepare_seconds > 0.0);
        let prepare = prepare.map(|size| (size.guest_bytes, size.prepare_seconds * 1e3)).collect();
        let compile = own().filter_map(|size| Some((size.guest_bytes, size.compile_seconds? * 1e3))).collect();
        times.push((format!("{engine}: preparing"), prepare));
        times.push((format!("{engine}: compiling"), compile));
        memory.push((engine.to_owned(), own().map(|size| (size.guest_bytes, size.peak_kib / 1024.0)).collect()));
    }
    times.retain(|(_, points)| !points.is_empty());

    let area = SVGBackend::new(output, GROWTH_SIZE).into_drawing_area();
    area.fill(&WHITE).map_err(|error| anyhow!("{error}"))?;
    let (left, right) = area.split_horizontally(GROWTH_SIZE.0 / 2);
    lines(&left, "Time, milliseconds, by bytes of code", &times)?;
    lines(&right, "Memory at its peak, MiB, by bytes of code", &memory)?;
    area.present().map_err(|error| anyhow!("{}: {error}", output.display()))
}

fn lines(area: &DrawingArea<SVGBackend<'_>, Shift>, caption: &str, lines: &[Line]) -> Result<()> {
    let points = || lines.iter().flat_map(|(_, points)| points);
    let limits = |values: &mut dyn Iterator<Item = f64>| {
        let (low, high) = values.fold((f64::MAX, f64::MIN), |(low, high), value| (low.min(value), high.max(value)));
        (low / 1.3..high * 1.3).log_scale()
    };
    ensure!(points().next().is_some(), "nothing to draw");
    let mut chart = ChartBuilder::on(area)
        .caption(caption, (FONT, 18))
        .margin(12)
        .x_label_area_size(30)
        .y_label_area_size(65)
        .build_cartesian_2d(limits(&mut points().map(|point| point.0)), limits(&mut points().map(|point| point.1)))
        .map_err(|error| anyhow!("{error}"))?;
    chart
        .configure_mesh()
        .light_line_style(WHITE)
        .label_style((FONT, 13))
        .x_label_formatter(&|bytes| format!("{bytes:.0}"))
        .y_label_formatter(&|value| format!("{value}"))
        .draw()
        .map_err(|error| anyhow!("{error}"))?;
    for (index, (name, points)) in lines.iter().enumerate() {
        let colour = colour(index);
        chart
            .draw_series(LineSeries::new(points.iter().copied(), colour.stroke_width(2)).point_size(3))
            .map_err(|error| anyhow!("{error}"))?
            .label(name)
            .legend(move |(x, y)| PathElement::new([(x, y), (x + 18, y)], colour.stroke_width(2)));
    }
    chart
        .configure_series_labels()
        .position(SeriesLabelPosition::UpperLeft)
        .background_style(WHITE)
        .label_font((FONT, 13))
        .draw()
        .map_err(|error| anyhow!("{error}"))
}

/// Each value once, in the order in which they first come.
fn distinct<'a>(values: impl Iterator<Item = &'a str>) -> Vec<&'a str> {
    let mut seen = Vec::new();
    values.for_each(|value| {
        if !seen.contains(&value) {
            seen.push(value)
        }
    });
    seen
}

/// None if there are no values.
fn geometric_mean(values: impl Iterator<Item = f64>) -> Option<f64> {
    let logarithms: Vec<f64> = values.map(f64::ln).collect();
    (!logarithms.is_empty()).then(|| (logarithms.iter().sum::<f64>() / logarithms.len() as f64).exp())
}

/// Colours that are far from one another, one after the other.
fn colour(index: usize) -> HSLColor {
    HSLColor(index as f64 * 0.381_966 % 1.0, 0.6, if index.is_multiple_of(2) { 0.42 } else { 0.6 })
}
