//! One run: steps that a seed chooses, promises checked after each, and at last a world that has to come to rest.

use std::collections::VecDeque;
use std::fmt;
use std::time::Duration;

use crate::api::Timestamp;
use crate::control::{Fault, builtin};
use crate::store::{EventKind, WatchFilter, Watcher};

use super::invariant::{Cause, Scene, Violation, Witness, at_rest};
use super::user::{Wish, calm, programs, wish};
use super::{Step, World, Writes};

/// The nodes of a run.
const NODES: [&str; 3] = ["node-1", "node-2", "node-3"];
/// The most steps that the end of a run may take: more means that something never comes to rest.
const END_STEPS_MAX: usize = 30_000;
/// How long the world may take to come to rest once nothing is broken any more: the longest delay between failures
/// of a Job, times the failures that a run allows, and then an hour until its events are forgotten.
const END_TIME_MAX: Duration = Duration::from_secs(4 * 3600);
/// The longest time that passes in one step, so that users come in between.
const PASS_MAX: Duration = Duration::from_secs(45);

/// How many changes of the store are told of a broken run.
const CHANGES_MAX: usize = 60;

/// How long and how rough a run is.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    /// Steps before faults stop.
    pub steps: usize,
    /// Whether there are faults.
    pub faults: bool,
}

impl Default for Plan {
    fn default() -> Self {
        Self { steps: 300, faults: true }
    }
}

/// A run that kept every promise.
#[derive(Clone, Debug)]
pub struct Report {
    /// What happened.
    pub log: Vec<Step>,
    /// The store's revision at the end.
    pub revision: u64,
    /// The time at the end.
    pub now: Timestamp,
}

/// A run that broke a promise.
#[derive(Clone, Debug, thiserror::Error)]
pub struct Broken {
    /// The seed.
    pub seed: u64,
    /// The promise and what was seen.
    pub violation: Violation,
    /// What happened, the step that broke it last.
    pub log: Vec<Step>,
    /// The last changes of the store.
    pub changes: Vec<String>,
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "seed {} breaks {} at step {}; to replay:", self.seed, self.violation, self.log.len())?;
        self.log.iter().try_for_each(|step| writeln!(f, "{step}"))?;
        writeln!(f, "the last changes of the store were:")?;
        self.changes.iter().try_for_each(|change| writeln!(f, "{change}"))
    }
}

/// A run under way.
pub struct Run {
    /// The world.
    pub world: World,
    seed: u64,
    witness: Witness,
    log: Vec<Step>,
    wishes: u64,
    watcher: Watcher,
    changes: VecDeque<String>,
}

impl Run {
    /// Returns a run that has not begun.
    pub fn new(seed: u64) -> Self {
        let mut world = World::new(builtin(), &NODES, seed).expect("invariant: the nodes' names are valid");
        world.programs = programs(seed, false);
        let watcher = world.store().watch(None, WatchFilter::all()).expect("invariant: the newest revision is held");
        Self { world, seed, witness: Witness::default(), log: vec![], wishes: 0, watcher, changes: VecDeque::new() }
    }

    fn broken(self, violation: Violation) -> Broken {
        Broken { seed: self.seed, violation, log: self.log, changes: self.changes.into() }
    }

    /// Runs a seed to its end.
    ///
    /// # Errors
    /// A promise broke.
    pub fn seed(seed: u64, plan: Plan) -> Result<Report, Broken> {
        let mut run = Self::new(seed);
        match run.play(plan) {
            Ok(()) => Ok(Report { revision: run.world.store().revision(), now: run.world.now, log: run.log }),
            Err(violation) => Err(run.broken(violation)),
        }
    }

    /// Lets the steps of a run happen again.
    ///
    /// # Errors
    /// A promise broke.
    pub fn replay(seed: u64, log: &[Step]) -> Result<Report, Broken> {
        let mut run = Self::new(seed);
        for step in log {
            if let Err(violation) = run.take(step.clone()) {
                return Err(run.broken(violation));
            }
        }
        Ok(Report { revision: run.world.store().revision(), now: run.world.now, log: run.log })
    }

    fn play(&mut self, plan: Plan) -> Result<(), Violation> {
        for _ in 0..plan.steps {
            self.any_step(plan.faults)?;
        }
        for host in NODES {
            if self.world.hosts.get(host).is_some_and(|host| !host.is_here()) {
                self.take(Step::ComeBack(host.to_owned()))?;
            }
        }
        self.take(Step::Heal)?;
        let until = self.world.now + END_TIME_MAX;
        for _ in 0..END_STEPS_MAX {
            if self.any_work()? {
                continue;
            }
            match self.world.next_due() {
                Some(due) if due <= until => drop(self.take(Step::Pass(due.since(self.world.now)))?),
                Some(_) => break,
                None => return at_rest(&self.world),
            }
        }
        let what = format!("it does not come to rest; waiting: {:?}", self.world.harness.waiting());
        Err(Violation { promise: "invariant_the_world_comes_to_rest", what })
    }

    /// Takes a step of any kind.
    fn any_step(&mut self, faults: bool) -> Result<(), Violation> {
        let number = self.world.below(1000);
        match number {
            0..40 => {
                self.wishes += 1;
                self.take(Step::User(self.wishes))?;
            }
            40..60 => {
                let by = Duration::from_millis(u64::try_from(self.world.below(5000)).unwrap_or(0));
                self.take(Step::Pass(by))?;
            }
            60..160 if faults => self.any_fault(number)?,
            _ => {
                if !self.any_work()? {
                    let due = self.world.next_due().map_or(PASS_MAX, |due| due.since(self.world.now));
                    self.take(Step::Pass(due.min(PASS_MAX)))?;
                }
            }
        }
        Ok(())
    }

    fn any_fault(&mut self, number: usize) -> Result<(), Violation> {
        let host = NODES[self.world.below(NODES.len())].to_owned();
        let here = self.world.hosts.get(&host).is_some_and(super::SimHost::is_here);
        let pick = self.world.below(1 << 16);
        let step = match number {
            60..90 => Step::Control { pick, fault: Some(Fault::Conflict) },
            90..95 => Step::Control { pick, fault: Some(Fault::Refused) },
            95..125 => {
                let awake = self.world.awake();
                let Some((host, pod)) = awake.get(pick % awake.len().max(1)).cloned() else { return Ok(()) };
                Step::Host { host, pod, writes: Writes::Lost }
            }
            125..132 => Step::Restart,
            _ if !here => Step::ComeBack(host),
            132..140 => Step::Leave(host),
            140..147 => Step::PowerOff(host),
            _ => return Ok(()),
        };
        self.take(step).map(drop)
    }

    /// Lets a controller or an agent do something; `false` where none has anything to do now.
    fn any_work(&mut self) -> Result<bool, Violation> {
        if self.world.below(2) == 0 && self.any_host()? {
            return Ok(true);
        }
        Ok(self.any_control()? || self.any_host()?)
    }

    fn any_control(&mut self) -> Result<bool, Violation> {
        let pick = self.world.below(1 << 16);
        self.take(Step::Control { pick, fault: None })
    }

    fn any_host(&mut self) -> Result<bool, Violation> {
        let mut awake = self.world.awake();
        while !awake.is_empty() {
            let (host, pod) = awake.swap_remove(self.world.below(awake.len()));
            if self.take(Step::Host { host, pod, writes: Writes::Kept })? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Takes one step and checks the promises; `false` where it changed nothing and is not in the log.
    ///
    /// # Errors
    /// A promise broke.
    pub fn take(&mut self, step: Step) -> Result<bool, Violation> {
        let before = self.world.store().snapshot();
        let (moved, cause) = self.carry_out(&step);
        if moved {
            self.note(&step);
            self.log.push(step);
        }
        let after = self.world.store().snapshot();
        if before.revision() != after.revision() || cause == Cause::Time {
            let scene = Scene { before: &before, after: &after, now: self.world.now, cause };
            self.witness.check(&scene)?;
        }
        Ok(moved)
    }

    /// Remembers what a step changed, for people.
    fn note(&mut self, step: &Step) {
        while let Ok(Some(event)) = self.watcher.try_next() {
            if &*event.key().resource == "events" {
                continue;
            }
            let object = event.object().value();
            let what = if matches!(event.kind, EventKind::Delete { .. }) { "gone" } else { "is" };
            let going = if object["metadata"]["deletionTimestamp"].is_null() { "" } else { " going" };
            let (replicas, status) = (&object["spec"]["replicas"], &object["status"]);
            let facts = [replicas, &status["phase"], &status["replicas"], &status["active"], &status["failed"]];
            let facts: Vec<String> = facts.iter().filter(|fact| !fact.is_null()).map(ToString::to_string).collect();
            let line = format!("{} {step}: {} {what}{going} {}", self.world.now, event.key(), facts.join(" "));
            self.changes.push_back(line);
            if self.changes.len() > CHANGES_MAX {
                self.changes.pop_front();
            }
        }
    }

    fn carry_out(&mut self, step: &Step) -> (bool, Cause) {
        let world = &mut self.world;
        let moved = match step {
            // A store that refused a write is one of the faults: the key comes back by itself.
            Step::Control { pick, fault } => {
                return (world.step_with(*pick, *fault).unwrap_or(true), Cause::Controller);
            }
            Step::Host { host, pod, writes } => return (world.round(host, pod, *writes), Cause::Host),
            Step::User(number) => {
                self.wish(*number);
                return (true, Cause::User);
            }
            Step::Heal => {
                self.heal();
                return (true, Cause::User);
            }
            Step::Restart => {
                world.restart_controllers();
                true
            }
            Step::Leave(host) => world.hosts.get_mut(host).map(super::SimHost::leave).is_some(),
            Step::PowerOff(host) => world.hosts.get_mut(host).map(|host| host.lose_power(world.now)).is_some(),
            Step::ComeBack(host) => world.hosts.get_mut(host).map(super::SimHost::come_back).is_some(),
            Step::Pass(by) => {
                world.pass(*by);
                return (true, Cause::Time);
            }
        };
        (moved, Cause::Host)
    }

    /// Lets the user do something; what the API refuses does not happen.
    fn wish(&mut self, number: u64) {
        let snapshot = self.world.store().snapshot();
        match wish(self.seed, number, &snapshot) {
            Wish::Put(kind, value) => drop(self.world.put(kind, value)),
            Wish::Delete(key, propagation) => {
                let uid = snapshot.get(&key).map(|stored| stored.uid().to_owned()).unwrap_or_default();
                if self.world.delete(&key, propagation).is_ok() {
                    self.witness.asked(&uid, propagation);
                }
            }
        }
    }

    fn heal(&mut self) {
        self.world.programs = programs(self.seed, true);
        for (kind, value) in calm(&self.world.store().snapshot()) {
            let _refused = self.world.put(kind, value);
        }
    }
}
