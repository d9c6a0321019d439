//! Small plots of a report as SVG text; colours and fonts come from the page's style sheet.

mod axes;
mod bar;
mod counts;
mod dag;
mod dots;
mod histogram;
mod labels;
mod length;
mod line;
mod pattern;
mod scale;
mod scatter;
mod svg;

pub(super) use bar::{Bar, bars};
pub(super) use counts::{CountRow, counts};
pub(super) use dag::{Box, dag};
pub(super) use dots::{DotRow, dots};
pub(super) use histogram::histogram;
pub(super) use length::{LengthSeries, by_length};
pub(super) use line::{lines, thinning};
pub(super) use pattern::pattern;
pub(super) use scatter::{Dot, scatter};
