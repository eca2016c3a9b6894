//! The ways to a card that a story can take.

use std::thread;
use std::time::{Duration, Instant};

use card::{Disposition, Transport, TransportError};
use card_sim::{Card, RamChip, SmartCard};

/// How long a card may need until its reader has noticed it.
const CARD_TIMEOUT: Duration = Duration::from_secs(10);
const POLL_INTERVAL: Duration = Duration::from_millis(20);

/// A card that answers commands, however it is reached.
pub trait Carrier {
    /// Sends a command APDU and returns the whole answer.
    ///
    /// # Errors
    /// Says why there is no answer.
    fn transmit(&mut self, command: &[u8]) -> Result<Vec<u8>, String>;

    /// Resets the card.
    ///
    /// # Errors
    /// Says why that does not work.
    fn reset(&mut self) -> Result<(), String>;

    /// Takes the power from the card and gives it back.
    ///
    /// # Errors
    /// Says why that does not work.
    fn power_cycle(&mut self) -> Result<(), String>;
}

/// A card in this process.
impl Carrier for Card<RamChip> {
    fn transmit(&mut self, command: &[u8]) -> Result<Vec<u8>, String> {
        SmartCard::transmit(self, command).ok_or_else(|| "the card is mute".to_owned())
    }

    fn reset(&mut self) -> Result<(), String> {
        SmartCard::reset(self);
        Ok(())
    }

    fn power_cycle(&mut self) -> Result<(), String> {
        self.power_off();
        self.power_on();
        Ok(())
    }
}

/// A card in a reader, or on the socket of `card-sim`, as hosts reach it.
pub struct ReaderCard {
    reader: String,
    transport: Box<dyn Transport + Send>,
}

impl ReaderCard {
    /// Connects to the card in a reader, `direct:PATH` or a PC/SC reader's name, and waits for it.
    ///
    /// # Errors
    /// When there is no such reader, or no card in it after ten seconds.
    pub fn open(reader: &str) -> Result<Self, String> {
        let deadline = Instant::now() + CARD_TIMEOUT;
        loop {
            let mut transport = card::open(Some(reader)).map_err(|error| error.to_string())?;
            match transport.begin() {
                Ok(()) => {
                    return Ok(Self { reader: reader.to_owned(), transport });
                }
                Err(error) if Instant::now() > deadline => return Err(told(error)),
                Err(_) => thread::sleep(POLL_INTERVAL),
            }
        }
    }

    /// Ends the connection, so that the next one finds a card that was reset.
    ///
    /// # Errors
    /// When the card does not answer any more.
    pub fn close(mut self) -> Result<(), String> {
        self.transport.end(Disposition::Reset).map_err(told)
    }
}

impl Carrier for ReaderCard {
    fn transmit(&mut self, command: &[u8]) -> Result<Vec<u8>, String> {
        self.transport.transmit(command).map_err(told)
    }

    fn reset(&mut self) -> Result<(), String> {
        self.transport.end(Disposition::Reset).map_err(told)?;
        self.transport.begin().map_err(told)
    }

    /// As near to it as a host comes: a reset, and a connection of its own afterwards. `card-sim`
    /// on its socket does take the power away.
    fn power_cycle(&mut self) -> Result<(), String> {
        self.transport.end(Disposition::Reset).map_err(told)?;
        self.transport = card::open(Some(&self.reader)).map_err(|error| error.to_string())?;
        self.transport.begin().map_err(told)
    }
}

fn told(error: TransportError) -> String {
    error.to_string()
}
