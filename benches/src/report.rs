//! The table, and the same as JSON.

use crate::kernel::Kernel;
use crate::measure::Figures;
use serde::Serialize;

/// Everything that was measured.
#[derive(Default)]
pub struct Report {
    /// Contenders, native code first.
    names: Vec<&'static str>,
    rows: Vec<Row>,
}

/// A kernel and the figures of each contender.
struct Row {
    kernel: String,
    figures: Vec<Figures>,
}

impl Row {
    /// Times per unit of work, as ratios to native code.
    fn ratios(&self) -> impl Iterator<Item = f64> {
        self.figures.iter().map(|figures| figures.ratio_to(&self.figures[0]))
    }
}

/// What [`Report::json`] says about one contender and kernel.
#[derive(Serialize)]
struct Measurement<'a> {
    kernel: &'a str,
    contender: &'static str,
    n: u64,
    short_seconds: f64,
    long_seconds: f64,
    ratio: f64,
}

impl Report {
    /// Nothing measured yet.
    pub fn new(names: Vec<&'static str>) -> Report {
        Report { names, rows: Vec::new() }
    }

    /// Adds what a kernel took.
    pub fn add(&mut self, kernel: &Kernel, figures: Vec<Figures>) {
        self.rows.push(Row { kernel: kernel.name.clone(), figures });
    }

    /// The geometric mean of each contender's ratios.
    fn means(&self) -> Vec<f64> {
        let mut logarithms = vec![0.0; self.names.len()];
        for row in &self.rows {
            row.ratios().zip(&mut logarithms).for_each(|(ratio, sum)| *sum += ratio.ln());
        }
        logarithms.iter().map(|sum| (sum / self.rows.len() as f64).exp()).collect()
    }

    /// A table in Markdown, a line for each contender: ratios to native code, and their geometric mean.
    pub fn table(&self) -> String {
        let mut lines = Vec::new();
        let header = self.rows.iter().map(|row| row.kernel.clone()).chain(["mean".to_owned()]);
        lines.push(line("", header));
        lines.push(format!("|---|{}", "---:|".repeat(self.rows.len() + 1)));
        let means = self.means();
        for (index, name) in self.names.iter().enumerate().skip(1) {
            let ratios = self.rows.iter().filter_map(|row| row.ratios().nth(index)).chain([means[index]]);
            lines.push(line(name, ratios.map(|ratio| format!("{ratio:.2}"))));
        }
        lines.join("\n")
    }

    /// All figures and the means.
    pub fn json(&self) -> serde_json::Value {
        let measurements = self.rows.iter().flat_map(|row| {
            let cells = self.names.iter().zip(&row.figures).zip(row.ratios());
            cells.map(|((contender, figures), ratio)| Measurement {
                kernel: &row.kernel,
                contender,
                n: figures.n,
                short_seconds: figures.median(0),
                long_seconds: figures.median(1),
                ratio,
            })
        });
        let means: serde_json::Map<_, _> =
            self.names.iter().zip(self.means()).map(|(name, mean)| ((*name).to_owned(), mean.into())).collect();
        serde_json::json!({ "measurements": measurements.collect::<Vec<_>>(), "geometric_means": means })
    }
}

fn line(first: &str, cells: impl Iterator<Item = String>) -> String {
    let cells: String = cells.map(|cell| format!(" {cell:>8} |")).collect();
    format!("| {first:<20} |{cells}")
}
