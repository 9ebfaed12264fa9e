//! Results as text: columns as wide as they need, as Markdown.

/// Prints `rows` under `head`; the first column to the left, numbers to the right.
pub(super) fn print(head: &[&str], rows: &[impl AsRef<[String]>]) {
    let width = |(column, heading): (usize, &&str)| {
        rows.iter()
            .map(|row| row.as_ref()[column].chars().count())
            .chain([heading.chars().count(), 3])
            .max()
            .unwrap_or_default()
    };
    let widths: Vec<usize> = head.iter().enumerate().map(width).collect();
    let line = |cells: &mut dyn Iterator<Item = &str>| {
        let padded = cells.zip(&widths).enumerate();
        let cells = padded.map(|(column, (cell, width))| match column {
            0 => format!("{cell:<width$}"),
            _ => format!("{cell:>width$}"),
        });
        println!("| {} |", cells.collect::<Vec<_>>().join(" | "));
    };
    line(&mut head.iter().copied());
    let rule = widths.iter().enumerate().map(|(column, width)| {
        let dashes = "-".repeat(width - 1);
        match column {
            0 => format!("{dashes}-"),
            _ => format!("{dashes}:"),
        }
    });
    println!("| {} |", rule.collect::<Vec<_>>().join(" | "));
    for row in rows {
        line(&mut row.as_ref().iter().map(String::as_str));
    }
}
