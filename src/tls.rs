//! The one TLS stack: rustls with the `ring` provider, installed once a process.

/// Installs the provider; later calls change nothing.
pub fn install_provider() {
    // The first to install a provider wins; that one is already there is what we want.
    let _ = rustls::crypto::ring::default_provider().install_default();
}
