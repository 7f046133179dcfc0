//! Talks to registries: authentication, transport, push.
