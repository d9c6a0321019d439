//! The table of a model's parts: parameters, bytes, zeros.

use crate::{
    base::units,
    cli::{output::Style, table::Table},
    model::{Inspection, Part, Place, Within},
    stage::Unit,
};

pub(super) fn lines(style: Style, inspection: &Inspection) -> Vec<String> {
    let parts = &inspection.parts;
    let mut table = Table::new(&[1, 2, 3]).indent(2);
    table.row(["part", "parameters", "in files", "zeros"].map(|text| style.faint(text)));
    let mut row = |name: String, [parameters, bytes, zeros]: [u64; 3]| {
        #[expect(clippy::cast_precision_loss, reason = "shown with four digits")]
        let share = zeros as f64 / parameters.max(1) as f64;
        table.row([name, units::thousands(parameters), units::bytes(bytes), Unit::Share.show(share)]);
    };
    let numbers = |part: &Part| [part.parameters, part.bytes, part.zeros];
    let mut at = 0;
    while at < parts.len() {
        let Place::Layer(first, _) = parts[at].place else {
            row(parts[at].place.to_string(), numbers(&parts[at]));
            at += 1;
            continue;
        };
        // Neighbours whose parts have the same numbers are one row a part.
        let (layer, mut end) = (of_layer(parts, first), first);
        while of_layer(parts, end + 1) == layer {
            end += 1;
        }
        let (name, each) =
            if end == first { (format!("layer {first}"), "") } else { (format!("layers {first}–{end}"), ", each") };
        for (within, of_part) in &layer {
            row(format!("{name} {}{each}", within.name()), *of_part);
        }
        at += layer.len() * (end - first + 1);
    }
    let total = parts.iter().map(numbers).fold([0; 3], |sum, part| [0, 1, 2].map(|column| sum[column] + part[column]));
    row("total".to_owned(), total);
    let mut lines = table.lines();
    if inspection.unused_bytes > 0 {
        lines.push(format!("  {} of the weights are not used", units::bytes(inspection.unused_bytes)));
    }
    lines
}

/// A layer's parts.
fn of_layer(parts: &[Part], layer: usize) -> Vec<(Within, [u64; 3])> {
    let within = |part: &Part| match part.place {
        Place::Layer(number, within) if number == layer => Some((within, [part.parameters, part.bytes, part.zeros])),
        _ => None,
    };
    parts.iter().filter_map(within).collect()
}
