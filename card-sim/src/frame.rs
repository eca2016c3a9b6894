//! Frames, as vpcd sends them:
//!
//! ```text
//! +---------------+------------------+
//! | length u16 BE | as many bytes    |
//! +---------------+------------------+
//! ```

use crate::Stop;
use std::io::{self, ErrorKind, Read, Write};

/// A connection whose reads and writes give up from time to time with `WouldBlock` or `TimedOut`,
/// so that [`Stop`] is seen.
pub(crate) trait Link: Read + Write {
    /// Called before every read.
    fn before_read(&self) -> io::Result<()> {
        Ok(())
    }
}

/// What a wait for the other side gave.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Received {
    /// A whole frame, without its length.
    Frame(Vec<u8>),
    /// The other side closed the connection between two frames.
    Closed,
    /// We should stop.
    Stopped,
}

/// Reads one frame.
pub(crate) fn read(link: &mut impl Link, stop: &Stop) -> io::Result<Received> {
    let mut length = [0; 2];
    match fill(link, &mut length, stop)? {
        Filled::Whole => {}
        Filled::Stopped => return Ok(Received::Stopped),
        Filled::ClosedAfter(0) => return Ok(Received::Closed),
        Filled::ClosedAfter(_) => return Err(ErrorKind::UnexpectedEof.into()),
    }
    let mut frame = vec![0; usize::from(u16::from_be_bytes(length))];
    match fill(link, &mut frame, stop)? {
        Filled::Whole => Ok(Received::Frame(frame)),
        Filled::Stopped => Ok(Received::Stopped),
        Filled::ClosedAfter(_) => Err(ErrorKind::UnexpectedEof.into()),
    }
}

/// Writes one frame; in one piece, for two would cost the delay of an acknowledgement between them.
/// Gives up without an error when we should stop.
pub(crate) fn write(link: &mut impl Link, content: &[u8], stop: &Stop) -> io::Result<()> {
    let length = u16::try_from(content.len()).map_err(|_| ErrorKind::InvalidInput)?;
    let frame = [&length.to_be_bytes(), content].concat();
    let mut rest = frame.as_slice();
    while !rest.is_empty() && !stop.is_set() {
        match link.write(rest) {
            Ok(0) => return Err(ErrorKind::WriteZero.into()),
            Ok(written) => rest = rest.get(written..).unwrap_or_default(),
            Err(error) if only_paused(&error) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

enum Filled {
    Whole,
    ClosedAfter(usize),
    Stopped,
}

fn fill(link: &mut impl Link, into: &mut [u8], stop: &Stop) -> io::Result<Filled> {
    let mut filled = 0_usize;
    loop {
        let rest = into.get_mut(filled..).unwrap_or_default();
        if rest.is_empty() {
            return Ok(Filled::Whole);
        }
        if stop.is_set() {
            return Ok(Filled::Stopped);
        }
        link.before_read()?;
        match link.read(rest) {
            Ok(0) => return Ok(Filled::ClosedAfter(filled)),
            Ok(count) => filled = filled.saturating_add(count),
            Err(error) if only_paused(&error) => {}
            Err(error) => return Err(error),
        }
    }
}

fn only_paused(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::Interrupted)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::Cell;

    /// A wire that gives and takes one byte at a time, with a pause before each.
    #[derive(Default)]
    struct Drip {
        incoming: Vec<u8>,
        outgoing: Vec<u8>,
        paused: bool,
        armed: Cell<u32>,
        reads: u32,
    }

    impl Drip {
        fn of(incoming: &[u8]) -> Self {
            Self { incoming: incoming.to_vec(), ..Self::default() }
        }

        fn pause(&mut self) -> io::Result<()> {
            self.paused = !self.paused;
            if self.paused { Err(ErrorKind::WouldBlock.into()) } else { Ok(()) }
        }
    }

    impl Read for Drip {
        fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
            self.reads = self.reads.saturating_add(1);
            assert!(!into.is_empty());
            self.pause()?;
            if self.incoming.is_empty() {
                return Ok(0);
            }
            into[0] = self.incoming.remove(0);
            Ok(1)
        }
    }

    impl Write for Drip {
        fn write(&mut self, from: &[u8]) -> io::Result<usize> {
            self.pause()?;
            self.outgoing.push(from[0]);
            Ok(1)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    impl Link for Drip {
        fn before_read(&self) -> io::Result<()> {
            self.armed.set(self.armed.get().saturating_add(1));
            Ok(())
        }
    }

    #[test]
    fn what_is_written_is_read_again() {
        for length in [0, 1, 2, 255, 256, 261, 65_535] {
            let content: Vec<u8> = (0..length).map(|n| (n % 251) as u8).collect();
            let mut out = Drip::default();
            write(&mut out, &content, &Stop::new()).unwrap();
            assert_eq!(out.outgoing.len(), content.len() + 2);
            let mut back = Drip::of(&[out.outgoing, vec![9]].concat());
            assert_eq!(read(&mut back, &Stop::new()).unwrap(), Received::Frame(content));
            assert_eq!(back.incoming, [9], "read into the next frame");
        }
    }

    #[test]
    fn the_length_is_big_endian() {
        let mut out = Drip::default();
        write(&mut out, &[7; 258], &Stop::new()).unwrap();
        assert_eq!(out.outgoing[..3], [1, 2, 7]);
        let mut incoming = Drip::of(&[0, 1, 5]);
        assert_eq!(read(&mut incoming, &Stop::new()).unwrap(), Received::Frame(vec![5]));
    }

    #[test]
    fn what_does_not_fit_into_a_length_is_an_error() {
        let mut out = Drip::default();
        assert!(write(&mut out, &vec![0; 65_536], &Stop::new()).is_err());
        assert!(out.outgoing.is_empty());
    }

    #[test]
    fn an_end_between_frames_is_no_error_and_one_within_is() {
        assert_eq!(read(&mut Drip::of(&[]), &Stop::new()).unwrap(), Received::Closed);
        for cut in [&[0][..], &[0, 3], &[0, 3, 1, 2]] {
            let error = read(&mut Drip::of(cut), &Stop::new()).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::UnexpectedEof, "{cut:?}");
        }
    }

    #[test]
    fn a_stop_ends_reads_and_writes() {
        let stop = Stop::new();
        stop.set();
        assert_eq!(read(&mut Drip::of(&[0, 1, 5]), &stop).unwrap(), Received::Stopped);
        let mut out = Drip::default();
        write(&mut out, &[1], &stop).unwrap();
        assert!(out.outgoing.is_empty());
    }

    #[test]
    fn the_link_is_armed_before_every_read() {
        let mut incoming = Drip::of(&[0, 2, 5, 6]);
        read(&mut incoming, &Stop::new()).unwrap();
        assert_eq!(incoming.reads, 8);
        assert_eq!(incoming.armed.get(), incoming.reads);
    }
}
