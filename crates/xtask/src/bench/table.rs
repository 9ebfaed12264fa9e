//! Results as text: columns as wide as they need, as Markdown.

/// Prints `rows` under `head`; the first column to the left, numbers to the right.
pub(super) fn print<const N: usize>(head: [&str; N], rows: &[[String; N]]) {
    let width = |column: usize| {
        rows.iter()
            .map(|row| row[column].chars().count())
            .chain([head[column].chars().count(), 3])
            .max()
            .unwrap_or_default()
    };
    let widths: [usize; N] = std::array::from_fn(width);
    let line = |cells: [&str; N]| {
        let padded = cells.iter().zip(widths).enumerate();
        let cells = padded.map(|(column, (cell, width))| match column {
            0 => format!("{cell:<width$}"),
            _ => format!("{cell:>width$}"),
        });
        println!("| {} |", cells.collect::<Vec<_>>().join(" | "));
    };
    line(head);
    let rule = widths.map(|width| "-".repeat(width - 1));
    let rule = rule
        .iter()
        .enumerate()
        .map(|(column, dashes)| match column {
            0 => format!("{dashes}-"),
            _ => format!("{dashes}:"),
        });
    println!("| {} |", rule.collect::<Vec<_>>().join(" | "));
    for row in rows {
        line(row.each_ref().map(String::as_str));
    }
}
