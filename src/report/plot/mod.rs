//! Small plots of a report as SVG text; colours and fonts come from the page's style sheet.

mod axes;
mod bar;
mod dag;
mod labels;
mod line;
mod scale;
mod scatter;
mod svg;

pub(super) use bar::{Bar, bars};
pub(super) use dag::{Box, dag};
pub(super) use line::{lines, thinning};
pub(super) use scatter::{Dot, scatter};
