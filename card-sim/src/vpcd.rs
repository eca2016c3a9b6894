//! The card behind vpcd, the virtual reader of vsmartcard, where pcscd finds it.

use crate::frame::Link;
use crate::session::{self, End};
use crate::stop::LOOK_UP;
use crate::{SmartCard, Stop};
use std::io;
use std::net::{SocketAddr, TcpStream, ToSocketAddrs};
use std::time::{Duration, Instant};

/// How long to pause before vpcd is tried again.
const PAUSE: Duration = Duration::from_millis(50);

/// Why vpcd cannot be reached.
#[derive(Debug, thiserror::Error)]
pub enum VpcdError {
    /// The address is none.
    #[error("the vpcd address {address} cannot be read ({source}): write it like localhost:35963")]
    Address {
        /// The address.
        address: String,
        /// The system's reason.
        source: io::Error,
    },
    /// The address is on another machine; what runs over this connection, PINs too, is in clear.
    #[error(
        "the vpcd address {0} is not on this machine: PINs would cross the network in clear; \
         use localhost"
    )]
    NotLoopback(String),
    /// Nobody listens there.
    #[error(
        "vpcd does not answer at {address} after {waited:?} ({source}): is pcscd with vpcd running?"
    )]
    Unreachable {
        /// The address.
        address: String,
        /// How long it was tried.
        waited: Duration,
        /// The reason of the last attempt.
        source: io::Error,
    },
    /// The connection broke.
    #[error("the connection with vpcd broke ({0}): see whether pcscd still runs, start again")]
    Broken(#[from] io::Error),
}

/// A connection with vpcd.
#[derive(Debug)]
pub struct Client {
    stream: TcpStream,
}

impl Client {
    /// Connects, and tries again for at most `wait_max` while nobody listens. `None` when `stop`
    /// was set meanwhile.
    ///
    /// # Errors
    /// When the address cannot be used or nobody listens.
    pub fn connect(
        address: &str,
        wait_max: Duration,
        stop: &Stop,
    ) -> Result<Option<Self>, VpcdError> {
        let addresses = resolve(address)?;
        let begin = Instant::now();
        while !stop.is_set() {
            let left = wait_max.saturating_sub(begin.elapsed());
            match attempt(&addresses, left) {
                Ok(stream) => return Ok(Some(Self { stream })),
                Err(source) if left.is_zero() => {
                    let address = address.into();
                    return Err(VpcdError::Unreachable { address, waited: wait_max, source });
                }
                Err(_) => stop.wait_for(PAUSE.min(left)),
            }
        }
        Ok(None)
    }

    /// Serves the card until vpcd closes the connection or `stop` is set.
    ///
    /// # Errors
    /// [`VpcdError::Broken`] when the connection breaks in the middle of something.
    pub fn serve(&mut self, card: &mut dyn SmartCard, stop: &Stop) -> Result<(), VpcdError> {
        let end = session::serve(&mut self.stream, card, stop);
        card.power_off();
        match end? {
            End::Closed => tracing::info!("vpcd closed the connection"),
            End::Stopped => {}
        }
        Ok(())
    }
}

/// Every address of that name, if all are on this machine.
fn resolve(address: &str) -> Result<Vec<SocketAddr>, VpcdError> {
    let unreadable = |source| VpcdError::Address { address: address.into(), source };
    let addresses: Vec<_> = address.to_socket_addrs().map_err(unreadable)?.collect();
    if addresses.is_empty() {
        return Err(unreadable(io::ErrorKind::AddrNotAvailable.into()));
    }
    if !addresses.iter().all(|found| found.ip().is_loopback()) {
        return Err(VpcdError::NotLoopback(address.into()));
    }
    Ok(addresses)
}

/// Tries each address once.
fn attempt(addresses: &[SocketAddr], left: Duration) -> io::Result<TcpStream> {
    let mut last = io::ErrorKind::AddrNotAvailable.into();
    for address in addresses {
        // A wait of nothing is refused by the standard library.
        match TcpStream::connect_timeout(address, left.max(LOOK_UP)) {
            Ok(stream) => {
                stream.set_nodelay(true)?;
                stream.set_read_timeout(Some(LOOK_UP))?;
                stream.set_write_timeout(Some(LOOK_UP))?;
                return Ok(stream);
            }
            Err(error) => last = error,
        }
    }
    Err(last)
}

impl Link for TcpStream {
    /// vpcd sends the length and the content of a frame in two writes, and holds the second back
    /// until the first is acknowledged. Linux delays acknowledgements by 40 ms unless told not to,
    /// and forgets what it was told after a few packets.
    #[cfg(target_os = "linux")]
    fn before_read(&self) -> io::Result<()> {
        use std::os::linux::net::TcpStreamExt;
        self.set_quickack(true)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ATR;
    use crate::test_card::{Done, TestCard, answer};
    use std::io::{Read, Write};
    use std::net::TcpListener;
    use std::thread;

    const WAIT: Duration = Duration::from_secs(10);

    /// vpcd's half of a connection; length and content go in two writes, as from vpcd itself.
    struct Vpcd(TcpStream);

    impl Vpcd {
        fn send(&mut self, frame: &[u8]) {
            self.0.write_all(&u16::try_from(frame.len()).unwrap().to_be_bytes()).unwrap();
            self.0.write_all(frame).unwrap();
        }

        fn receive(&mut self) -> Vec<u8> {
            let mut length = [0; 2];
            self.0.read_exact(&mut length).unwrap();
            let mut frame = vec![0; usize::from(u16::from_be_bytes(length))];
            self.0.read_exact(&mut frame).unwrap();
            frame
        }
    }

    /// Runs `drive` as vpcd against a card, and returns what the card saw.
    fn with_vpcd(drive: impl FnOnce(Vpcd) + Send + 'static) -> Vec<Done> {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let driver = thread::spawn(move || drive(Vpcd(listener.accept().unwrap().0)));
        let mut card = TestCard::default();
        let stop = Stop::new();
        let mut client = Client::connect(&address, WAIT, &stop).unwrap().unwrap();
        client.serve(&mut card, &stop).unwrap();
        driver.join().unwrap();
        card.done
    }

    #[test]
    fn vpcd_sees_the_card_and_may_leave() {
        let done = with_vpcd(|mut vpcd| {
            vpcd.send(&[4]);
            assert_eq!(vpcd.receive(), ATR);
            vpcd.send(&[1]);
            vpcd.send(&[0xEE]);
            vpcd.send(&[0x80, 0x54, 0, 0]);
            assert_eq!(vpcd.receive(), answer(0x54));
        });
        assert_eq!(done, [Done::On, Done::Command(vec![0x80, 0x54, 0, 0]), Done::Off]);
    }

    /// Without quick acknowledgements each of these takes 40 ms.
    #[cfg(target_os = "linux")]
    #[test]
    fn an_apdu_does_not_wait_for_an_acknowledgement() {
        with_vpcd(|mut vpcd| {
            let begin = Instant::now();
            vpcd.send(&[1]);
            for _ in 0..100 {
                vpcd.send(&[0x80, 0x54, 0, 0]);
                vpcd.receive();
            }
            let spent = begin.elapsed();
            assert!(spent < Duration::from_millis(1500), "100 APDUs took {spent:?}");
        });
    }

    #[test]
    fn a_stop_ends_the_wait_for_a_frame() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let stop = Stop::new();
        let mut client = Client::connect(&address, WAIT, &stop).unwrap().unwrap();
        let stopper = stop.clone();
        let thrower = thread::spawn(move || {
            thread::sleep(Duration::from_millis(30));
            stopper.set();
        });
        client.serve(&mut TestCard::default(), &stop).unwrap();
        thrower.join().unwrap();
    }

    #[test]
    fn a_cut_frame_is_a_broken_connection() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let stop = Stop::new();
        let mut client = Client::connect(&address, WAIT, &stop).unwrap().unwrap();
        listener.accept().unwrap().0.write_all(&[0, 5, 1]).unwrap();
        let error = client.serve(&mut TestCard::default(), &stop).unwrap_err();
        assert!(matches!(error, VpcdError::Broken(_)), "{error}");
    }

    #[test]
    fn the_start_waits_for_vpcd_but_not_for_ever() {
        // A port that was free a moment ago.
        let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let name = address.to_string();
        let begin = Instant::now();
        let wait = Duration::from_millis(120);
        let error = Client::connect(&name, wait, &Stop::new()).unwrap_err();
        assert!(matches!(error, VpcdError::Unreachable { .. }), "{error}");
        assert!(begin.elapsed() >= wait);
        let late = thread::spawn(move || {
            thread::sleep(Duration::from_millis(120));
            TcpListener::bind(address).unwrap()
        });
        assert!(Client::connect(&name, WAIT, &Stop::new()).unwrap().is_some());
        late.join().unwrap();
        let stop = Stop::new();
        stop.set();
        assert!(Client::connect(&name, WAIT, &stop).unwrap().is_none());
    }

    #[test]
    fn only_addresses_of_this_machine_are_taken() {
        for address in ["192.0.2.1:35963", "0.0.0.0:35963", "[2001:db8::1]:35963"] {
            let error = resolve(address).unwrap_err();
            assert!(matches!(error, VpcdError::NotLoopback(_)), "{error}");
        }
        for address in ["nonsense", "localhost", "127.0.0.1:99999", ""] {
            let error = resolve(address).unwrap_err();
            assert!(matches!(error, VpcdError::Address { .. }), "{error}");
        }
        for address in ["127.0.0.1:35963", "[::1]:35963"] {
            assert_eq!(resolve(address).unwrap().len(), 1);
        }
    }
}
