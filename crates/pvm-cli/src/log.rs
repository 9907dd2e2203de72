//! Logging of the program itself, to standard error.

use tracing_subscriber::EnvFilter;

/// Starts logging: warnings, more with each `-v`, or whatever `PVMRUN_LOG` or `RUST_LOG` says.
pub fn start(verbose: u8, has_colour: bool) {
    let level = match verbose {
        0 => "warn",
        1 => "info",
        2 => "debug",
        _ => "trace",
    };
    let asked = ["PVMRUN_LOG", "RUST_LOG"].into_iter().find_map(|name| EnvFilter::try_from_env(name).ok());
    let filter = asked.unwrap_or_else(|| EnvFilter::new(level));
    let subscriber = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(has_colour)
        .without_time()
        .with_writer(std::io::stderr)
        .finish();
    // In tests somebody may have been here before.
    let _ = tracing::subscriber::set_global_default(subscriber);
}
