//! The shell that every server of Kozeni shares: configuration in layers, logs, listening and
//! stopping cleanly, trust in one CA, asking other servers. It decides nothing.

mod clock;
mod config;
mod logs;
mod peer;
mod serve;
mod trust;

pub use clock::now;
pub use config::{ConfigError, load};
pub use logs::start_logs;
pub use peer::{Peer, PeerError};
pub use serve::{Endpoint, ServeError, Stop, bind, bind_unix, message, serve, serve_unix};
pub use trust::{Trust, TrustError};
