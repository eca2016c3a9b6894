use tracing_subscriber::EnvFilter;

/// Starts logging to standard error. `filter` is a level or a list of `target=level`; where it is
/// `None`, `KOZENI_LOG` counts, and otherwise `info`.
pub fn start_logs(filter: Option<&str>) {
    let from_environment = || EnvFilter::try_from_env("KOZENI_LOG").ok();
    let filter = filter.and_then(|filter| EnvFilter::try_new(filter).ok());
    let filter = filter.or_else(from_environment).unwrap_or_else(|| EnvFilter::new("info"));
    let subscriber = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    // A second start in one process, as tests do, changes nothing.
    let _ = subscriber.try_init();
}
