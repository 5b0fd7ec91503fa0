//! Runs controllers on tokio: one dispatcher task, one short task per decision.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;

use crate::api::{Key, Kinds};
use crate::store::objects::{Clock, Entropy};
use crate::store::{Store, WatchFilter, Watcher};

use super::Registered;
use super::dispatch::{Dispatcher, Notes, Outcome, Waiting, Workshop, outcome};
use super::queue::Item;

/// The longest sleep between looks at the clock, so that a clock that is set forward is noticed.
const SLEEP_MAX: Duration = Duration::from_secs(5);

/// What [`run`] needs.
pub struct Setup {
    /// The store that controllers read and write.
    pub store: Store,
    /// The kinds that objects are made of.
    pub kinds: Kinds,
    /// The controllers.
    pub controllers: Vec<Registered>,
    /// The clock.
    pub clock: Clock,
    /// The source of generated names and UIDs: random in a daemon, seeded in a test.
    pub entropy: Entropy,
}

/// Controllers at work; dropping it stops them.
#[derive(Debug)]
pub struct Running {
    notes: Notes,
    stop: watch::Sender<bool>,
    dispatcher: Option<JoinHandle<()>>,
}

impl Running {
    /// Returns why keys wait, by controller and key.
    pub fn waiting(&self) -> Vec<Waiting> {
        self.notes.list(|_| true)
    }

    /// Returns why this object waits.
    pub fn why(&self, key: &Key) -> Vec<Waiting> {
        self.notes.list(|waiting| waiting == key)
    }

    /// Stops after the decisions that are being carried out.
    pub async fn stop(mut self) {
        self.stop.send_replace(true);
        if let Some(task) = self.dispatcher.take() {
            // A panic in the dispatcher was logged by the runtime; there is nothing left to stop then.
            drop(task.await);
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.stop.send_replace(true);
    }
}

/// Starts controllers; needs a tokio runtime around it.
pub fn run(setup: Setup) -> Running {
    let (stop, stopped) = watch::channel(false);
    let dispatcher = Dispatcher::new(setup.controllers);
    let notes = dispatcher.notes();
    let worker = Worker { store: setup.store, workshop: Workshop::new(setup.kinds, setup.entropy), clock: setup.clock };
    let task = tokio::spawn(dispatch(dispatcher, Arc::new(worker), stopped));
    Running { notes, stop, dispatcher: Some(task) }
}

/// What a task per decision shares with the dispatcher.
struct Worker {
    store: Store,
    workshop: Workshop,
    clock: Clock,
}

impl Worker {
    async fn decide(&self, controller: Registered, key: &Key) -> Outcome {
        let snapshot = self.store.snapshot();
        match self.workshop.decide(&controller, &snapshot, key, (self.clock)()) {
            None => Outcome::Nothing,
            Some(round) if round.txn.ops.is_empty() => outcome(round, Ok(())),
            Some(mut round) => {
                let committed = self.store.commit_async(std::mem::take(&mut round.txn)).await;
                outcome(round, committed.map(drop))
            }
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "the loop sleeps until the next deadline that a decision named")]
async fn dispatch(mut dispatcher: Dispatcher, worker: Arc<Worker>, mut stopped: watch::Receiver<bool>) {
    let (store, clock) = (worker.store.clone(), Arc::clone(&worker.clock));
    let (sender, mut finished) = mpsc::unbounded_channel::<(Item, Outcome)>();
    let mut watcher = follow_anew(&store, &mut dispatcher);
    let mut working = 0_usize;
    loop {
        let stopping = *stopped.borrow();
        while let Some(item) = (!stopping).then(|| dispatcher.take(clock())).flatten() {
            working += 1;
            let (worker, sender, controller) = (Arc::clone(&worker), sender.clone(), dispatcher.controllers[item.0]);
            tokio::spawn(async move {
                let outcome = worker.decide(controller, &item.1).await;
                // The receiver is gone only when the dispatcher was aborted.
                drop(sender.send((item, outcome)));
            });
        }
        if stopping && working == 0 {
            return;
        }
        let sleep = dispatcher.next_due().map_or(SLEEP_MAX, |due| due.since(clock()).min(SLEEP_MAX));
        tokio::select! {
            event = watcher.next(), if !stopping => match event {
                Ok(event) => {
                    let snapshot = store.snapshot();
                    dispatcher.route_event(&snapshot, &event);
                    while let Ok(Some(event)) = watcher.try_next() {
                        dispatcher.route_event(&snapshot, &event);
                    }
                }
                Err(_) => watcher = follow_anew(&store, &mut dispatcher),
            },
            Some((item, outcome)) = finished.recv() => {
                working -= 1;
                dispatcher.finish(&item, outcome, clock());
                while let Ok((item, outcome)) = finished.try_recv() {
                    working -= 1;
                    dispatcher.finish(&item, outcome, clock());
                }
            }
            _ = stopped.changed(), if !stopping => {}
            () = tokio::time::sleep(sleep), if !stopping => {}
        }
    }
}

/// Looks at everything, and at each change after that.
fn follow_anew(store: &Store, dispatcher: &mut Dispatcher) -> Watcher {
    loop {
        let snapshot = store.snapshot();
        if let Ok(watcher) = store.watch(Some(snapshot.revision()), WatchFilter::all()) {
            dispatcher.route_all(&snapshot);
            return watcher;
        }
    }
}
