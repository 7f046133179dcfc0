//! layerbuild
