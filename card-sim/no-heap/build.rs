//! Under an operating system: leaves out the C start-up code, which would call `main`, and takes
//! the memory functions (`memcpy` and the like) from the C library.

fn main() {
    let system = std::env::var("CARGO_CFG_TARGET_OS").unwrap_or_default();
    if system == "linux" {
        println!("cargo::rustc-link-arg-bins=-nostartfiles");
        println!("cargo::rustc-link-arg-bins=-lc");
    }
    println!("cargo::rerun-if-changed=build.rs");
}
