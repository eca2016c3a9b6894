//! The one thread that touches the books, and the way to it. Jobs that wait together share one
//! commit, because the disk, not the work, is what takes time; no job is answered before its
//! commit. After an error nothing more is answered: what is on the disk is not known then.

use std::io;
use std::thread::{self, JoinHandle};

use tokio::sync::{mpsc, oneshot};

use crate::store::{Store, StoreError};

/// Most jobs in one commit.
const GROUP_MAX: usize = 64;

/// Most jobs that wait; whoever comes then waits before the door.
const QUEUE_MAX: usize = 256;

type Answer = Box<dyn FnOnce() + Send>;
type Job = Box<dyn FnOnce(&Store) -> Result<Answer, StoreError> + Send>;

/// The thread has ended: nothing is known about the job.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the books are closed")]
pub struct Closed;

/// The way to the thread. It ends when the last of these is gone.
#[derive(Clone, Debug)]
pub struct Database {
    jobs: mpsc::Sender<Job>,
}

impl Database {
    /// Starts the thread. `failed` is called when it ends with an error.
    ///
    /// # Errors
    /// The system's error when there can be no thread.
    pub fn start(
        store: Store,
        failed: impl FnOnce() + Send + 'static,
    ) -> io::Result<(Self, JoinHandle<Result<(), StoreError>>)> {
        let (jobs, waiting) = mpsc::channel(QUEUE_MAX);
        let work = move || {
            let ended = work(&store, waiting);
            if let Err(error) = &ended {
                tracing::error!(%error, "the books are closed");
                failed();
            }
            ended
        };
        let thread = thread::Builder::new().name("books".to_owned()).spawn(work)?;
        Ok((Self { jobs }, thread))
    }

    /// Does a job in a transaction, and answers when it is on the disk.
    ///
    /// # Errors
    /// [`Closed`] when that is not certain.
    pub async fn run<T: Send + 'static>(
        &self,
        job: impl FnOnce(&Store) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, Closed> {
        let (sender, receiver) = oneshot::channel();
        let job: Job = Box::new(move |store| {
            let done = job(store)?;
            let answer: Answer = Box::new(move || {
                // Whoever asked may have gone; what is done is done.
                let _ = sender.send(done);
            });
            Ok(answer)
        });
        self.jobs.send(job).await.map_err(|_| Closed)?;
        receiver.await.map_err(|_| Closed)
    }
}

fn work(store: &Store, mut waiting: mpsc::Receiver<Job>) -> Result<(), StoreError> {
    while let Some(first) = waiting.blocking_recv() {
        let answers = store.transaction(|store| {
            let mut answers = vec![first(store)?];
            while answers.len() < GROUP_MAX {
                let Ok(job) = waiting.try_recv() else { break };
                answers.push(job(store)?);
            }
            Ok(answers)
        })?;
        answers.into_iter().for_each(|answer| answer());
    }
    Ok(())
}
