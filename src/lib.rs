//! layerbuild: a declarative build system for container images.
//!
//! Read the modules in this order and you have followed the data: ARCHITECTURE.md has the map.

pub mod checkout;
pub mod compression_level;
pub mod diagnostic;
pub mod digest;
pub mod event;
pub mod exit;
pub mod file_stat;
pub mod host_pattern;
pub mod label;
pub mod layer_path;
pub mod observed;
pub mod pattern;
pub mod platform;
pub mod reason;
pub mod reference;
pub mod root_cause;
pub mod source_root;
pub mod span;
pub mod tls;

pub mod toml_format;
pub mod workspace;

pub mod graph;

pub mod action;

pub mod cargo;

pub mod rules;

pub mod plan;

pub mod base;

pub mod build;
pub mod image_test;
pub mod sandbox;

pub mod shared;

pub mod effect;

pub mod lock;

pub mod doctor;
pub mod requirements;
pub mod status;
pub mod store;

pub mod oci;
pub mod packages;

pub mod registry;

pub mod picture;
pub mod query;

pub mod event_log;
pub mod ui;

pub mod cli;
