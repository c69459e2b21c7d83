//! The sections of `nexus.toml` that belong to nothing larger, each with its defaults.

use nexus_core::passwords::Cost;
use nexus_types::limits::CONNECTIONS_PER_ADDRESS;
use serde::{Deserialize, Serialize};

/// `[server]`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Server {
    /// The instance's name.
    pub name: String,
    /// Where to listen.
    pub listen: Vec<String>,
    /// What people type, such as `https://chat.example.org`; empty for "wherever the request came to".
    pub public_url: String,
    /// Further pages whose requests are answered.
    pub allowed_origins: Vec<String>,
    /// Proxies that are believed about where a request came from: addresses or networks.
    pub trusted_proxies: Vec<String>,
}

impl Default for Server {
    fn default() -> Self {
        Self {
            name: "Nexus".into(),
            listen: vec!["127.0.0.1:8080".into(), "[::1]:8080".into()],
            public_url: String::new(),
            allowed_origins: vec![],
            trusted_proxies: vec![],
        }
    }
}

/// `[registration]`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Registration {
    /// May anybody make an account?
    pub open: bool,
}

impl Default for Registration {
    fn default() -> Self {
        Self { open: true }
    }
}

/// `[limits]`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// Are requests limited?
    pub rates: bool,
    /// Connections at once; 0 for as many as the process may have open files, less some.
    pub connections: u32,
    /// Connections of one address at once; this machine and trusted proxies are not counted.
    pub connections_per_address: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            rates: true,
            connections: 0,
            connections_per_address: CONNECTIONS_PER_ADDRESS,
        }
    }
}

/// `[passwords]`: what Argon2id costs. A stored hash of another cost is made anew at the next sign-in.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Passwords {
    /// Memory in KiB; the default is the least that should be used.
    pub memory_kib: u32,
    /// Passes over it.
    pub passes: u32,
}

impl Default for Passwords {
    fn default() -> Self {
        let Cost { memory_kib, passes } = Cost::default();
        Self { memory_kib, passes }
    }
}

/// `[log]`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Log {
    /// `auto`, `json` or `pretty`.
    pub format: String,
    /// `error`, `warn`, `info`, `debug` or `trace`, or directives such as `info,nexus_core=debug`.
    pub level: String,
}

impl Default for Log {
    fn default() -> Self {
        Self {
            format: "auto".into(),
            level: "info".into(),
        }
    }
}

/// `[store]`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Store {
    /// Threads that read.
    pub read_threads: u32,
    /// Page cache of each database connection in KiB.
    pub cache_kib: u32,
    /// The database may not grow beyond this many MiB; 0 for no limit but the disk.
    pub size_mib_max: u32,
}

impl Default for Store {
    fn default() -> Self {
        Self {
            read_threads: 4,
            cache_kib: 4_096,
            size_mib_max: 0,
        }
    }
}
