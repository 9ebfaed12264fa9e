//! `cargo xtask bench supervise`: what it costs to have a program supervised, and how well it is done.

mod kill;
mod many;
mod overhead;
mod stop;
mod storm;
mod systemd;
mod trees;

use clap::ValueEnum;

use super::peers::Peer;
use super::section::Section;
use super::{idle, peers};
use crate::error::Error;

/// What can be measured.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum What {
    /// `true` run through a supervisor.
    Overhead,
    /// From `SIGTERM` to the end of the program and of the supervisor.
    Stop,
    /// How exactly the limit is kept at which a program is killed.
    Kill,
    /// How long after its limit the stop of a large tree ends.
    Trees,
    /// Memory and wake-ups with one idle program.
    Idle,
    /// Memory, start and stop of many programs.
    Many,
    /// A program that crashes again and again.
    Storm,
    /// What of this systemd does, in the container of the test lane `systemd`.
    Systemd,
}

/// Measures one thing after another, and hands out each as soon as it is there.
pub(super) fn run(
    what: &[What],
    rounds: u32,
    seconds: u64,
    children: usize,
    done: &mut dyn FnMut(Section),
) -> Result<(), Error> {
    let peers = peers::installed();
    let all = What::value_variants();
    for what in all
        .iter()
        .filter(|one| what.is_empty() || what.contains(one))
    {
        done(match what {
            What::Overhead => overhead::measure(&peers, rounds * 2)?,
            What::Stop => stop::measure(&peers, rounds)?,
            What::Kill => kill::measure(&peers, rounds.div_ceil(40))?,
            What::Trees => trees::measure(rounds.div_ceil(40))?,
            What::Idle => idle::measure(&peers, seconds)?,
            What::Many => many::measure(&peers, &[1, 200, children])?,
            What::Storm => storm::measure(&peers, seconds)?,
            What::Systemd if !systemd::is_there() => {
                eprintln!("note: systemd is left out: cargo xtask setup systemd, as root");
                continue;
            }
            What::Systemd => systemd::measure(&[1, 200, children], seconds)?,
        });
    }
    Ok(())
}

/// The row of winddown in a section.
fn of_winddown(rows: &[(String, Vec<Option<f64>>)]) -> Option<&[Option<f64>]> {
    let (_, values) = rows.iter().find(|(name, _)| name == "winddown run")?;
    Some(values)
}

fn name(peer: &Peer) -> String {
    peer.name.to_owned()
}
