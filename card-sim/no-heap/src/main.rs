//! A chip with no allocator and no operating system around the applet. It is linked, never run:
//! if any crate below it needed a heap, rustc would ask for the allocator that is not there.
#![no_std]
#![no_main]

use core::hint::black_box;

use applet::{Applet, Cell, Env, Fault, Response};

#[cfg(feature = "planted-heap")]
extern crate alloc;

/// The smallest chip there can be: every cell is erased, every write is lost.
struct BareChip;

impl Env for BareChip {
    fn read(&mut self, _cell: Cell, into: &mut [u8]) -> Result<(), Fault> {
        into.fill(black_box(0xFF));
        Ok(())
    }

    fn write(&mut self, _cell: Cell, data: &[u8]) -> Result<(), Fault> {
        black_box(data);
        Ok(())
    }

    fn random(&mut self, into: &mut [u8]) -> Result<(), Fault> {
        into.fill(black_box(4));
        Ok(())
    }
}

/// Where a chip begins.
#[expect(unsafe_code, reason = "an entry point has to have a name that the linker knows")]
#[unsafe(no_mangle)]
pub extern "C" fn _start() -> ! {
    let mut chip = black_box(BareChip);
    let mut applet = Applet::boot(&mut chip);
    let mut response = Response::new();
    loop {
        // Opaque to the optimiser, so that no command's code is left out.
        let command = black_box([0_u8; 261]);
        applet.process(&mut chip, &command, &mut response);
        black_box(response.as_bytes());
        #[cfg(feature = "planted-heap")]
        black_box(alloc::vec![command]);
    }
}

/// Where the target's `core` was built to unwind, its tables name this function; nothing calls it.
#[cfg(target_os = "linux")]
#[expect(unsafe_code, reason = "the name is the one that `core` asks for")]
#[unsafe(no_mangle)]
pub extern "C" fn rust_eh_personality() {}

#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    loop {}
}
