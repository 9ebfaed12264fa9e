//! A part of a benchmark's result: a table, and the goals beside it.

use serde_json::{Map, Value, json};

use super::table;

pub(super) struct Section {
    /// Its key in JSON.
    pub(super) key: &'static str,
    /// What was measured.
    pub(super) title: String,
    /// Headings, with the digits behind the point.
    pub(super) columns: &'static [(&'static str, usize)],
    /// Who was measured, and a value for each column that applies.
    pub(super) rows: Vec<(String, Vec<Option<f64>>)>,
    pub(super) goals: Vec<Goal>,
}

/// What a figure of winddown should be at the most.
pub(super) struct Goal {
    pub(super) what: &'static str,
    pub(super) at_most: f64,
    pub(super) is: f64,
    pub(super) unit: &'static str,
}

impl Section {
    pub(super) fn print(&self) {
        println!("{}:\n", self.title);
        let mut head = vec!["supervisor"];
        head.extend(self.columns.iter().map(|(heading, _)| heading));
        let rows: Vec<Vec<String>> = self.rows.iter().map(|row| self.cells(row)).collect();
        table::print(&head, &rows);
        println!();
        for goal in &self.goals {
            let Goal {
                what,
                at_most,
                is,
                unit,
            } = goal;
            let reached = if goal.is_reached() {
                "reached"
            } else {
                "missed"
            };
            println!("goal: {what} <= {at_most}{unit}: {is:.2}{unit}, {reached}");
        }
        println!();
    }

    fn cells(&self, (name, values): &(String, Vec<Option<f64>>)) -> Vec<String> {
        let cells = self.columns.iter().zip(values);
        let cells = cells.map(|((_, digits), value)| match value {
            Some(value) => format!("{value:.digits$}"),
            None => "-".to_owned(),
        });
        std::iter::once(name.clone()).chain(cells).collect()
    }

    pub(super) fn json(&self) -> Value {
        let rows = self.rows.iter().map(|(name, values)| {
            let mut row = Map::new();
            row.insert("supervisor".to_owned(), json!(name));
            for ((heading, _), value) in self.columns.iter().zip(values) {
                row.insert(heading.replace(' ', "_"), json!(value));
            }
            Value::Object(row)
        });
        let goals = self.goals.iter().map(|goal| {
            json!({
                "what": goal.what,
                "at_most": goal.at_most,
                "is": goal.is,
                "reached": goal.is_reached(),
            })
        });
        json!({
            "measured": self.title,
            "rows": rows.collect::<Vec<_>>(),
            "goals": goals.collect::<Vec<_>>(),
        })
    }
}

impl Goal {
    fn is_reached(&self) -> bool {
        self.is <= self.at_most
    }
}
