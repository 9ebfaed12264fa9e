//! The life of a service as one table: [`transition`] decides every pair of [`State`] and [`Input`].

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Where a service is in its life.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum State {
    /// Made, not yet started.
    Idle,
    /// The program's body runs and has not said that it is ready.
    Starting,
    /// Ready and serving.
    Running,
    /// Asked to pause; serves nothing until it is resumed.
    Paused,
    /// Ready, and reading its configuration again.
    Reloading,
    /// A stop was asked for; there is no way back.
    Stopping,
    /// Ended. Nothing happens any more.
    Stopped,
}

/// What can happen to a service.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Input {
    /// The program's body is about to be called.
    Start,
    /// The program says that it is ready.
    Ready,
    /// Somebody asked it to pause.
    Pause,
    /// Somebody asked it to go on after a pause.
    Resume,
    /// Somebody asked it to read its configuration again.
    Reload,
    /// The program has finished a reload.
    Reloaded,
    /// Some other event meant for the program.
    User,
    /// Somebody asked it to stop.
    Stop,
    /// Somebody asked it to end at once.
    Force,
    /// The program's body returned.
    Returned,
    /// Every stop phase has ended.
    Drained,
    /// The stop's deadline has passed.
    Expired,
}

/// What the table asks its owner to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Effect {
    /// Call the program's body.
    CallBody,
    /// Hand the event to the program.
    Deliver,
    /// Tell the host that the service serves.
    TellRunning,
    /// Tell the host that the service has paused.
    TellPaused,
    /// Tell the host that the service reloads.
    TellReloading,
    /// Cancel the start through the stop token.
    CancelStart,
    /// Begin the one stop of this service: fix its reason and deadline, tell the host, run the phases.
    BeginStop,
    /// Record one more request for the stop under way; it may shorten the deadline.
    JoinStop,
    /// Move the deadline of the stop under way to now.
    CutShort,
    /// Write the report and end.
    Finish,
}

impl State {
    /// Every state, in the order of a life.
    pub const ALL: [Self; 7] = [
        Self::Idle,
        Self::Starting,
        Self::Running,
        Self::Paused,
        Self::Reloading,
        Self::Stopping,
        Self::Stopped,
    ];
}

impl Input {
    /// Every input.
    pub const ALL: [Self; 12] = [
        Self::Start,
        Self::Ready,
        Self::Pause,
        Self::Resume,
        Self::Reload,
        Self::Reloaded,
        Self::User,
        Self::Stop,
        Self::Force,
        Self::Returned,
        Self::Drained,
        Self::Expired,
    ];
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Idle => "idle",
            Self::Starting => "starting",
            Self::Running => "running",
            Self::Paused => "paused",
            Self::Reloading => "reloading",
            Self::Stopping => "stopping",
            Self::Stopped => "stopped",
        })
    }
}

/// Decides what `input` does in `state`: the next state, and what to do, in order (WD-1).
///
/// No effect and the same state is "nothing": the input has no meaning there and is only recorded.
#[must_use]
pub const fn transition(state: State, input: Input) -> (State, &'static [Effect]) {
    use Effect::*;
    use Input as I;
    use State::*;

    match (state, input) {
        (Idle, I::Start) => (Starting, &[CallBody]),
        // Nothing has been started, so there is nothing to wind down.
        (Idle, I::Stop | I::Force) => (Stopped, &[BeginStop, Finish]),

        (Starting, I::Ready) => (Running, &[TellRunning]),
        (Starting, I::Stop) => (Stopping, &[BeginStop, CancelStart]),
        (Starting, I::Force) => (Stopping, &[BeginStop, CancelStart, CutShort]),
        // The body sees it once it reads its events; the host hears nothing but "starting" until then.
        (Starting, I::Reload | I::User) => (Starting, &[Deliver]),

        (Running, I::Pause) => (Paused, &[Deliver, TellPaused]),
        (Running, I::Reload) => (Reloading, &[TellReloading, Deliver]),
        (Running, I::User) => (Running, &[Deliver]),

        (Paused, I::Resume) => (Running, &[Deliver, TellRunning]),
        (Paused, I::Reload | I::User) => (Paused, &[Deliver]),

        (Reloading, I::Reloaded | I::Ready) => (Running, &[TellRunning]),
        (Reloading, I::Pause) => (Paused, &[Deliver, TellPaused]),
        (Reloading, I::Reload | I::User) => (Reloading, &[Deliver]),

        (Running | Paused | Reloading, I::Stop) => (Stopping, &[BeginStop]),
        (Running | Paused | Reloading, I::Force) => (Stopping, &[BeginStop, CutShort]),
        (Starting | Running | Paused | Reloading, I::Returned) => (Stopping, &[BeginStop]),

        (Stopping, I::Stop) => (Stopping, &[JoinStop]),
        (Stopping, I::Force) => (Stopping, &[JoinStop, CutShort]),
        (Stopping, I::Drained | I::Expired) => (Stopped, &[Finish]),

        (
            Idle,
            I::Ready
            | I::Pause
            | I::Resume
            | I::Reload
            | I::Reloaded
            | I::User
            | I::Returned
            | I::Drained
            | I::Expired,
        )
        | (Starting, I::Start | I::Pause | I::Resume | I::Reloaded | I::Drained | I::Expired)
        | (Running, I::Start | I::Ready | I::Resume | I::Reloaded | I::Drained | I::Expired)
        | (Paused, I::Start | I::Ready | I::Pause | I::Reloaded | I::Drained | I::Expired)
        | (Reloading, I::Start | I::Resume | I::Drained | I::Expired)
        | (
            Stopping,
            I::Start
            | I::Ready
            | I::Pause
            | I::Resume
            | I::Reload
            | I::Reloaded
            | I::User
            | I::Returned,
        )
        | (Stopped, _) => (state, &[]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Effect::*;

    fn pairs() -> impl Iterator<Item = (State, Input)> {
        State::ALL
            .into_iter()
            .flat_map(|state| Input::ALL.map(|input| (state, input)))
    }

    /// WD-1: the table, as a reader sees it; a change of any pair shows here.
    #[test]
    fn wd_1_every_pair_is_decided() {
        let mut table = String::new();
        for (state, input) in pairs() {
            let (next, effects) = transition(state, input);
            table += &format!("{state:9} {input:?} -> {next} {effects:?}\n");
        }
        assert_eq!(table.lines().count(), 84);
        insta::assert_snapshot!(table);
    }

    /// WD-2: a stop is taken in every state but the one after it.
    #[test]
    fn wd_2_a_stop_is_taken_in_every_state() {
        for state in State::ALL {
            let (next, effects) = transition(state, Input::Stop);
            match state {
                State::Idle | State::Stopped => assert_eq!(next, State::Stopped),
                _ => assert_eq!(next, State::Stopping),
            }
            assert_eq!(
                effects.contains(&BeginStop),
                !matches!(state, State::Stopping | State::Stopped)
            );
        }
    }

    /// WD-3: a stop while starting cancels the start.
    #[test]
    fn wd_3_a_stop_while_starting_cancels_the_start() {
        assert_eq!(
            transition(State::Starting, Input::Stop),
            (State::Stopping, &[BeginStop, CancelStart][..])
        );
    }

    /// WD-4: there is no way back from a stop, and nothing begins it twice.
    #[test]
    fn wd_4_no_input_leads_back_from_a_stop() {
        for (state, input) in pairs().filter(|(state, _)| *state >= State::Stopping) {
            let (next, effects) = transition(state, input);
            assert!(next >= state, "{state} {input:?}");
            assert!(!effects.contains(&BeginStop), "{state} {input:?}");
            assert!(!effects.contains(&Deliver), "{state} {input:?}");
        }
    }

    /// WD-5: `Stopped` is final, and each way into it finishes once.
    #[test]
    fn wd_5_stopped_is_final() {
        for (state, input) in pairs() {
            let (next, effects) = transition(state, input);
            let enters = state != State::Stopped && next == State::Stopped;
            assert_eq!(effects.contains(&Finish), enters, "{state} {input:?}");
            if state == State::Stopped {
                assert_eq!((next, effects), (State::Stopped, &[][..]));
            }
        }
    }

    /// WD-51: the host hears "stopping", which `BeginStop` tells it, on the way in and never again.
    #[test]
    fn wd_51_a_stop_is_told_when_there_is_no_way_back() {
        for (state, input) in pairs() {
            let (next, effects) = transition(state, input);
            let enters = state < State::Stopping && next >= State::Stopping;
            assert_eq!(effects.contains(&BeginStop), enters, "{state} {input:?}");
        }
    }

    /// WD-92: a second request joins the stop under way.
    #[test]
    fn wd_92_a_second_request_joins_the_first() {
        assert_eq!(
            transition(State::Stopping, Input::Stop),
            (State::Stopping, &[JoinStop][..])
        );
        assert_eq!(
            transition(State::Stopping, Input::Force),
            (State::Stopping, &[JoinStop, CutShort][..])
        );
    }

    /// WD-50: the host hears "running" only on entering Running.
    #[test]
    fn wd_50_running_is_told_when_it_is_so() {
        for (state, input) in pairs() {
            let (next, effects) = transition(state, input);
            let enters = state != State::Running && next == State::Running;
            assert_eq!(effects.contains(&TellRunning), enters, "{state} {input:?}");
        }
    }
}
