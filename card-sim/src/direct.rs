//! The card on a Unix socket, for hosts that talk to it without pcscd. One client at a time; its
//! frames are those of vpcd. A new client finds the card freshly powered.

use crate::frame::Link;
use crate::session::{self, End};
use crate::stop::LOOK_UP;
use crate::{SmartCard, Stop};
use std::fs::{self, DirBuilder, Permissions};
use std::io::{self, ErrorKind};
use std::net::Shutdown;
use std::os::fd::OwnedFd;
use std::os::unix::fs::{DirBuilderExt, FileTypeExt, MetadataExt, PermissionsExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::thread;

/// Why the socket cannot be served.
#[derive(Debug, thiserror::Error)]
pub enum DirectError {
    /// Others could reach the socket.
    #[error(
        "the folder {folder} of the socket is open to others (mode {mode:o}): \
         name a folder that is not there yet, or run `chmod 700` on it"
    )]
    Open {
        /// The folder.
        folder: PathBuf,
        /// Its permissions.
        mode: u32,
    },
    /// Something else is in the place of the socket.
    #[error("{0} is there already and is no socket: choose another path")]
    Occupied(PathBuf),
    /// Another card is served there.
    #[error("the socket {0} is in use by another card: stop that one or choose another path")]
    InUse(PathBuf),
    /// The operating system refused something.
    #[error("the socket {path} cannot be {action} ({source}): check path and permissions")]
    Io {
        /// The socket.
        path: PathBuf,
        /// What was tried.
        action: &'static str,
        /// The system's reason.
        source: io::Error,
    },
}

/// A socket that waits for clients. It is removed when the server is dropped.
#[derive(Debug)]
pub struct Server {
    listener: UnixListener,
    path: PathBuf,
}

impl Server {
    /// Makes the socket, and its folder if need be; only the owner can reach either. A socket that
    /// nobody serves any more is replaced.
    ///
    /// # Errors
    /// When the folder is open to others, or the socket is in use or cannot be made.
    pub fn bind(path: &Path) -> Result<Self, DirectError> {
        let failed = |action| move |source| DirectError::Io { path: path.into(), action, source };
        prepare_folder(path)?;
        remove_stale(path)?;
        let listener = UnixListener::bind(path).map_err(failed("made"))?;
        let server = Self { listener, path: path.into() };
        fs::set_permissions(path, Permissions::from_mode(0o600)).map_err(failed("protected"))?;
        Ok(server)
    }

    /// Serves one client after the other until `stop` is set.
    ///
    /// # Errors
    /// When no client can be accepted any more; `stop` is set then, too.
    pub fn serve(&self, card: &mut dyn SmartCard, stop: &Stop) -> Result<(), DirectError> {
        let failed = |source| DirectError::Io { path: self.path.clone(), action: "served", source };
        // A second handle on the listener, whose type lets us shut it down.
        let waker = self.listener.try_clone().map_err(failed)?;
        let waker = UnixStream::from(OwnedFd::from(waker));
        thread::scope(|scope| {
            scope.spawn(|| {
                stop.wait();
                // Wakes `accept` on Linux; elsewhere a last client does.
                if waker.shutdown(Shutdown::Both).is_err() {
                    drop(UnixStream::connect(&self.path));
                }
            });
            let outcome = self.accept_all(card, stop);
            // Ends the thread above, or the scope would wait for it.
            stop.set();
            outcome.map_err(failed)
        })
    }

    fn accept_all(&self, card: &mut dyn SmartCard, stop: &Stop) -> io::Result<()> {
        while !stop.is_set() {
            let mut client = match self.listener.accept() {
                Ok((client, _)) => client,
                Err(_) if stop.is_set() => break,
                Err(error) if error.kind() == ErrorKind::ConnectionAborted => continue,
                Err(error) => return Err(error),
            };
            client.set_read_timeout(Some(LOOK_UP))?;
            client.set_write_timeout(Some(LOOK_UP))?;
            card.power_on();
            let end = session::serve(&mut client, card, stop);
            card.power_off();
            match end {
                Ok(End::Closed | End::Stopped) => {}
                // Its client's trouble; the next one may do better.
                Err(error) => tracing::warn!(%error, "a client left in the middle of something"),
            }
        }
        Ok(())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_file(&self.path) {
            tracing::warn!(%error, path = %self.path.display(), "the socket stays behind");
        }
    }
}

impl Link for UnixStream {}

/// Makes the folder of the socket, or checks that others cannot enter it.
fn prepare_folder(path: &Path) -> Result<(), DirectError> {
    let failed = |source| DirectError::Io { path: path.into(), action: "given a folder", source };
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    match DirBuilder::new().mode(0o700).create(folder) {
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
        other => return other.map_err(failed),
    }
    let mode = fs::metadata(folder).map_err(failed)?.mode() & 0o777;
    if mode & 0o077 != 0 {
        return Err(DirectError::Open { folder: folder.into(), mode });
    }
    Ok(())
}

/// Removes the socket of a server that ended without doing so itself.
fn remove_stale(path: &Path) -> Result<(), DirectError> {
    let failed = |source| DirectError::Io { path: path.into(), action: "replaced", source };
    match fs::symlink_metadata(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(failed(error)),
        Ok(about) if !about.file_type().is_socket() => {
            return Err(DirectError::Occupied(path.into()));
        }
        Ok(_) => {}
    }
    match UnixStream::connect(path) {
        Ok(_) => Err(DirectError::InUse(path.into())),
        Err(error) if error.kind() == ErrorKind::ConnectionRefused => {
            fs::remove_file(path).map_err(failed)
        }
        Err(error) => Err(failed(error)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ATR;
    use crate::test_card::{Done, TestCard, answer};
    use std::io::{Read, Write};
    use std::time::Duration;

    struct Client(UnixStream);

    impl Client {
        fn connect(path: &Path) -> Self {
            let stream = UnixStream::connect(path).unwrap();
            stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
            Self(stream)
        }

        fn send(&mut self, frame: &[u8]) {
            self.0.write_all(&u16::try_from(frame.len()).unwrap().to_be_bytes()).unwrap();
            self.0.write_all(frame).unwrap();
        }

        fn ask(&mut self, frame: &[u8]) -> Vec<u8> {
            self.send(frame);
            let mut length = [0; 2];
            self.0.read_exact(&mut length).unwrap();
            let mut frame = vec![0; usize::from(u16::from_be_bytes(length))];
            self.0.read_exact(&mut frame).unwrap();
            frame
        }
    }

    /// Runs `drive` against a served card and returns what the card saw.
    fn with_server(drive: impl FnOnce(&Path)) -> Vec<Done> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("own").join("socket");
        let server = Server::bind(&path).unwrap();
        let stop = Stop::new();
        let done = thread::scope(|scope| {
            let serving = scope.spawn(|| {
                let mut card = TestCard::default();
                server.serve(&mut card, &stop).unwrap();
                card.done
            });
            drive(&path);
            stop.set();
            serving.join().unwrap()
        });
        drop(server);
        assert!(!path.exists(), "the socket stayed behind");
        done
    }

    const COMMAND: [u8; 4] = [0x80, 0x54, 0, 0];

    #[test]
    fn each_client_finds_a_freshly_powered_card() {
        let done = with_server(|path| {
            for _ in 0..2 {
                let mut client = Client::connect(path);
                assert_eq!(client.ask(&COMMAND), answer(0x54));
                assert_eq!(client.ask(&[4]), ATR);
                client.send(&[0xEE]);
                client.send(&[0]);
                assert_eq!(client.ask(&COMMAND), [0; 0], "a card without power is mute");
            }
        });
        let command = || Done::Command(COMMAND.to_vec());
        let one = [Done::On, command(), Done::Off, command(), Done::Off];
        assert_eq!(done, [one.clone(), one].concat());
    }

    #[test]
    fn a_second_client_waits_for_the_first() {
        let done = with_server(|path| {
            let mut first = Client::connect(path);
            first.ask(&COMMAND);
            let mut second = Client::connect(path);
            second.send(&[0x80, 0x99, 0, 0]);
            second.0.set_read_timeout(Some(Duration::from_millis(50))).unwrap();
            assert!(second.0.read(&mut [0; 1]).is_err(), "served beside the first");
            first.ask(&COMMAND);
            drop(first);
            second.0.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
            let mut answered = [0; 5];
            second.0.read_exact(&mut answered).unwrap();
            assert_eq!(answered, [0, 3, 0x99, 0x90, 0x00]);
        });
        assert_eq!(done.iter().filter(|done| **done == Done::On).count(), 2);
    }

    #[test]
    fn a_client_that_leaves_within_a_frame_does_not_end_the_server() {
        with_server(|path| {
            let mut rude = Client::connect(path);
            rude.0.write_all(&[0, 9, 1]).unwrap();
            drop(rude);
            assert_eq!(Client::connect(path).ask(&COMMAND), answer(0x54));
        });
    }

    #[test]
    fn a_stop_ends_the_wait_for_clients_and_for_frames() {
        // Nobody has come yet, or one is connected and silent: neither may hang.
        with_server(|_| thread::sleep(Duration::from_millis(20)));
        let mut silent = None;
        with_server(|path| {
            let mut client = Client::connect(path);
            client.ask(&COMMAND);
            silent = Some(client);
        });
    }

    #[test]
    fn a_stop_does_not_need_the_socket_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("own").join("socket");
        let server = Server::bind(&path).unwrap();
        fs::remove_file(&path).unwrap();
        let stop = Stop::new();
        let stopper = stop.clone();
        let thrower = thread::spawn(move || {
            thread::sleep(Duration::from_millis(20));
            stopper.set();
        });
        server.serve(&mut TestCard::default(), &stop).unwrap();
        thrower.join().unwrap();
    }

    #[test]
    fn a_server_that_cannot_accept_says_so_and_ends() {
        let folder = tempfile::tempdir().unwrap();
        let server = Server::bind(&folder.path().join("own/socket")).unwrap();
        // Makes the first accept fail.
        server.listener.set_nonblocking(true).unwrap();
        let stop = Stop::new();
        let error = server.serve(&mut TestCard::default(), &stop).unwrap_err();
        assert!(matches!(error, DirectError::Io { action: "served", .. }), "{error}");
        assert!(stop.is_set());
    }

    #[test]
    fn only_the_owner_can_reach_the_socket() {
        let folder = tempfile::tempdir().unwrap();
        let own = folder.path().join("own");
        let _server = Server::bind(&own.join("socket")).unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().mode() & 0o777;
        assert_eq!(mode(&own), 0o700);
        assert_eq!(mode(&own.join("socket")), 0o600);
    }

    #[test]
    fn a_folder_open_to_others_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        for mode in [0o710, 0o701, 0o755, 0o777] {
            fs::set_permissions(folder.path(), Permissions::from_mode(mode)).unwrap();
            let error = Server::bind(&folder.path().join("socket")).unwrap_err();
            assert!(matches!(error, DirectError::Open { .. }), "{error}");
            assert!(error.to_string().contains(&format!("{mode:o}")), "{error}");
        }
    }

    #[test]
    fn an_abandoned_socket_is_replaced_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        fs::set_permissions(folder.path(), Permissions::from_mode(0o700)).unwrap();
        let path = folder.path().join("socket");
        // The standard library's listener leaves its file behind.
        drop(UnixListener::bind(&path).unwrap());
        let server = Server::bind(&path).unwrap();
        let error = Server::bind(&path).unwrap_err();
        assert!(matches!(error, DirectError::InUse(_)), "{error}");
        drop(server);
        fs::write(&path, b"precious").unwrap();
        let error = Server::bind(&path).unwrap_err();
        assert!(matches!(error, DirectError::Occupied(_)), "{error}");
        assert_eq!(fs::read(&path).unwrap(), b"precious");
    }
}
