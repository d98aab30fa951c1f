//! Options about who may use a server, and the command that manages its accounts.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

use crate::origin::Origin;

/// Accounts of a server.
#[derive(Args)]
#[command(next_help_heading = "Accounts")]
pub(crate) struct AccountOptions {
    /// Who may create an account
    #[arg(long, default_value = "open", value_name = "WHO")]
    pub(crate) registration: Registration,
    /// Maximum number of accounts created from one address per hour
    #[arg(long, default_value_t = 60, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) registrations_per_hour: u32,
    /// Print a token at the start; whoever registers with it becomes the first administrator
    /// [default: the first account is the administrator's]
    #[arg(long)]
    pub(crate) admin_token: bool,
    /// Minimum number of characters of a new password
    #[arg(long, default_value_t = 1, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=256))]
    pub(crate) min_password_length: u16,
    /// Seconds until a login ends
    #[arg(long, default_value_t = 30 * 24 * 3600, value_name = "SECONDS")]
    pub(crate) token_lifetime: u64,
}

/// Who may make an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Registration {
    /// Everybody
    Open,
    /// Nobody
    Closed,
    /// Whoever has an invitation (see `users invite`)
    Invite,
}

/// Names and proxies of a server.
#[derive(Args)]
#[command(next_help_heading = "Names and proxies")]
pub(crate) struct SiteOptions {
    /// An origin whose pages are the server's own, for a proxy in front of it; may be repeated
    #[arg(long, value_name = "URL")]
    pub(crate) origin: Vec<Origin>,
    /// A name by which the server may be called, beside its addresses, names without a dot, and
    /// those of the origins; may be repeated
    #[arg(long, value_name = "NAME")]
    pub(crate) allowed_host: Vec<String>,
    /// Take the client's address from X-Forwarded-For, and the scheme from X-Forwarded-Proto, as
    /// a proxy in front sets them
    #[arg(long)]
    pub(crate) behind_proxy: bool,
}

/// Who may read the metrics, and where.
#[derive(Args)]
#[command(next_help_heading = "Metrics")]
pub(crate) struct MetricsOptions {
    /// Serve /metrics (and /healthz) at this address, and /metrics no longer at the main one
    #[arg(long, value_name = "ADDRESS:PORT")]
    pub(crate) metrics_listen: Option<SocketAddr>,
    /// Who may read /metrics at the main address
    #[arg(long, default_value = "everybody", value_name = "WHO")]
    pub(crate) metrics_for: MetricsFor,
}

/// Who may read the metrics at the main address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum MetricsFor {
    /// Everybody
    Everybody,
    /// Administrators who are logged in
    Admins,
}

/// Limits on connections.
#[derive(Args)]
#[command(next_help_heading = "Limits")]
pub(crate) struct ConnectionOptions {
    /// Maximum number of connections; the longest idle one is closed for a new one
    #[arg(long, default_value_t = 4096, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub(crate) max_connections: u32,
    /// Maximum number of connections from one address [default: half of all; all behind a proxy]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub(crate) max_connections_per_address: Option<u32>,
    /// Maximum number of event streams per user
    #[arg(long, default_value_t = 128, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) max_streams: u32,
    /// Seconds for the head of a request, and for which an idle connection is kept
    #[arg(long, default_value_t = 30, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) head_timeout: u64,
    /// Seconds for which a client may send or take nothing in the middle of a body
    #[arg(long, default_value_t = 30, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) body_timeout: u64,
    /// Seconds that running blocks and requests get to finish when the server is stopped
    #[arg(long, default_value_t = 10, value_name = "SECONDS")]
    pub(crate) grace: u64,
}

/// The command `users`.
#[derive(Args)]
pub(crate) struct UsersOptions {
    /// The server's data directory [default: as the server's]
    #[arg(long, env = "EEG_WORKFLOW_DATA", value_name = "DIR", global = true)]
    pub(crate) data_dir: Option<PathBuf>,
    #[command(subcommand)]
    pub(crate) command: UsersCommand,
}

#[derive(Subcommand)]
pub(crate) enum UsersCommand {
    /// List the users
    List {
        /// Print them as JSON
        #[arg(long)]
        json: bool,
    },
    /// Keep a user out, and end the user's sessions and jobs
    Disable {
        /// The user's e-mail address
        email: String,
    },
    /// Let a disabled user in again
    Enable {
        /// The user's e-mail address
        email: String,
    },
    /// End the jobs of a user, once the server runs
    EndJobs {
        /// The user's e-mail address
        email: String,
    },
    /// Delete a user with all jobs, files and modules: at once if the server runs, or else when
    /// it is started
    Delete {
        /// The user's e-mail address
        email: String,
    },
    /// Print an invitation, with which one person can register
    Invite {
        /// Whose it is [default: anybody's]
        email: Option<String>,
        /// Make the account an administrator's
        #[arg(long)]
        admin: bool,
        /// Days until it expires
        #[arg(long, default_value_t = 7, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=3650))]
        days: u16,
    },
}
