//! Pictures of graphs: plain values in, SVG, HTML or text for a terminal out.
//!
//! [`model`] is what is drawn, [`layout`] decides where it stands (Sugiyama's way: ranks, order, coordinates), and one file
//! a form writes it. Knows neither targets nor queries: `cli` makes the values.

pub mod html;
pub mod layout;
pub mod model;
pub mod svg;

pub use model::{Cluster, Detail, Edge, Node, Picture, Role, Shape, Tone};
