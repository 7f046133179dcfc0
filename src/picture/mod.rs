//! Pictures of graphs: plain values in, SVG, HTML or text for a terminal out.
//!
//! [`model`] is what is drawn, [`layout`] decides where it stands (Sugiyama's way: ranks, order, coordinates), and one file
//! a form writes it. Knows neither targets nor queries: `cli` makes the values.

pub mod dot;
pub mod html;
pub mod json;
pub mod layout;
pub mod mermaid;
pub mod model;
pub mod rails;
pub mod stack;
pub mod svg;
pub mod terminal;

pub use model::{Cluster, Detail, Edge, Node, Picture, Role, Shape, Tone};
