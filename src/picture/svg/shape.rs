//! The outlines of nodes, from 0, 0 on.

use super::number;
use crate::picture::model::Shape;

/// How far the middle of a node's text is from that of its outline, times two.
pub(super) fn shift(shape: Shape) -> (f64, f64) {
    match shape {
        Shape::Effect => (-8.0, 0.0),
        Shape::File => (-6.0, 0.0),
        Shape::Registry => (0.0, 12.0),
        _ => (0.0, 0.0),
    }
}

/// The outline of a shape of this size.
pub(super) fn path(shape: Shape, width: f64, height: f64) -> String {
    let (w, h) = (number(width), number(height));
    match shape {
        Shape::Image | Shape::Pulled => format!(r#"<rect class="shape" width="{w}" height="{h}" rx="3"/>"#),
        Shape::Index => {
            let (iw, ih) = (number(width - 8.0), number(height - 8.0));
            format!(
                r#"<rect class="shape" width="{w}" height="{h}" rx="5"/><rect class="inner" x="4" y="4" width="{iw}" height="{ih}" rx="2"/>"#
            )
        }
        Shape::Layer => format!(r#"<rect class="shape" width="{w}" height="{h}" rx="{}"/>"#, number(height / 2.0)),
        Shape::Check => outline(&[
            (12.0, 0.0),
            (width - 12.0, 0.0),
            (width, height / 2.0),
            (width - 12.0, height),
            (12.0, height),
            (0.0, height / 2.0),
        ]),
        Shape::Effect => {
            outline(&[(0.0, 0.0), (width - 14.0, 0.0), (width, height / 2.0), (width - 14.0, height), (0.0, height)])
        }
        Shape::File => {
            let fold = number(width - 10.0);
            format!(r#"<path class="shape" d="M0 0H{fold}L{w} 10V{h}H0z"/><path class="inner" d="M{fold} 0V10H{w}"/>"#)
        }
        Shape::Registry => cylinder(width, height),
        Shape::Outside => {
            let (rx, ry) = (number(width / 2.0), number(height / 2.0));
            format!(r#"<ellipse class="shape" cx="{rx}" cy="{ry}" rx="{rx}" ry="{ry}"/>"#)
        }
    }
}

fn outline(corners: &[(f64, f64)]) -> String {
    let corners: Vec<String> = corners.iter().map(|(x, y)| format!("{} {}", number(*x), number(*y))).collect();
    format!(r#"<path class="shape" d="M{}z"/>"#, corners.join("L"))
}

fn cylinder(width: f64, height: f64) -> String {
    let (w, rx, bottom) = (number(width), number(width / 2.0), number(height - 6.0));
    format!(
        r#"<path class="shape" d="M0 6A{rx} 6 0 0 1 {w} 6V{bottom}A{rx} 6 0 0 1 0 {bottom}z"/><path class="inner" d="M0 6A{rx} 6 0 0 0 {w} 6"/>"#
    )
}
