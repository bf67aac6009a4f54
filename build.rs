//! Link arguments of the shared library.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    // Programs record this name; it changes only when the binary interface breaks.
    println!("cargo::rustc-cdylib-link-arg=-Wl,-soname,libmcm_dp.so.1");
    // Calls within the library stay within it, and no lazy binding delays the first frame.
    println!("cargo::rustc-cdylib-link-arg=-Wl,-Bsymbolic");
    println!("cargo::rustc-cdylib-link-arg=-Wl,-z,now");
}
