//! Card access on a thread of its own, because readers block: tasks come over a queue, one at a
//! time.
//!
//! A card that is not used for a moment is let go, so that other programs get at it; who it was is
//! remembered, so that the next task needs no more commands than before.

use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::Duration;

use card::{CardError, CardIdentity, OpenError, TransportError};
use tokio::sync::oneshot;

use crate::port::CardPort;

/// How long an unused card is held.
const HOLD: Duration = Duration::from_secs(2);

/// Longest time for one task; the client below has shorter deadlines for each command.
const TASK_TIMEOUT: Duration = Duration::from_secs(60);

/// Why a task with the card failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CardTrouble {
    /// No way to a card.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The card, or the way to it.
    #[error(transparent)]
    Card(#[from] CardError),
    /// The reader does not come back.
    #[error("the reader gives no answer")]
    Stuck,
}

/// Finds the way to a card.
pub type Opener = Box<dyn FnMut() -> Result<Box<dyn CardPort>, OpenError> + Send>;

type Task = Box<dyn FnOnce(&mut Holding) + Send>;

/// A handle to the thread that owns the reader.
#[derive(Clone, Debug)]
pub struct CardThread {
    tasks: Sender<Task>,
}

impl CardThread {
    /// Starts the thread. It ends when the last handle is gone.
    ///
    /// # Errors
    /// The system's, when no thread can be started.
    pub fn start(opener: Opener) -> std::io::Result<Self> {
        let (tasks, queue) = channel();
        std::thread::Builder::new().name("card".to_owned()).spawn(move || serve(opener, &queue))?;
        Ok(Self { tasks })
    }

    /// Runs a task with the card and waits for its result.
    ///
    /// # Errors
    /// [`CardTrouble`].
    pub async fn run<R: Send + 'static>(
        &self,
        task: impl FnOnce(&mut dyn CardPort) -> Result<R, CardError> + Send + 'static,
    ) -> Result<R, CardTrouble> {
        let (sender, receiver) = oneshot::channel();
        let task: Task = Box::new(move |holding| {
            // Whoever asked may have gone; the card is as it is nevertheless.
            let _ = sender.send(holding.run(task));
        });
        self.tasks.send(task).map_err(|_| CardTrouble::Stuck)?;
        match tokio::time::timeout(TASK_TIMEOUT, receiver).await {
            Ok(Ok(result)) => result,
            Ok(Err(_)) | Err(_) => Err(CardTrouble::Stuck),
        }
    }
}

fn serve(opener: Opener, queue: &Receiver<Task>) {
    let mut holding = Holding { opener, card: None, known: None };
    loop {
        match queue.recv_timeout(HOLD) {
            Ok(task) => task(&mut holding),
            Err(RecvTimeoutError::Timeout) => holding.release(),
            Err(RecvTimeoutError::Disconnected) => return,
        }
    }
}

struct Holding {
    opener: Opener,
    card: Option<Box<dyn CardPort>>,
    known: Option<CardIdentity>,
}

impl Holding {
    fn run<R>(
        &mut self,
        task: impl FnOnce(&mut dyn CardPort) -> Result<R, CardError>,
    ) -> Result<R, CardTrouble> {
        let mut card = match self.card.take() {
            Some(card) => card,
            None => self.open()?,
        };
        let result = task(card.as_mut());
        match &result {
            // Perhaps another card: what was known of it is worth nothing.
            Err(CardError::Garbled(_)) => self.known = None,
            // The way to the card is gone, and the next task finds a new one.
            Err(CardError::Transport(error)) if error.loses_card() => {
                let swapped = matches!(error, TransportError::Removed | TransportError::NoCard);
                if swapped {
                    self.known = None;
                }
            }
            Ok(_)
            | Err(
                CardError::Transport(_)
                | CardError::Refused(_)
                | CardError::Unsendable(_)
                | CardError::NotPresented
                | CardError::Entropy,
            ) => {
                self.known = card.identity().or(self.known);
                self.card = Some(card);
            }
        }
        Ok(result?)
    }

    fn open(&mut self) -> Result<Box<dyn CardPort>, OpenError> {
        let mut card = (self.opener)()?;
        if let Some(identity) = self.known {
            card.recall(identity);
        }
        Ok(card)
    }

    fn release(&mut self) {
        if let Some(card) = self.card.take() {
            self.known = card.identity().or(self.known);
        }
    }
}
