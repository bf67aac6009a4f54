//! Link arguments of the plugin.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    // libmcm_dp.so.1 is looked for beside the plugin first, then where the system looks.
    println!("cargo::rustc-cdylib-link-arg=-Wl,-rpath,$ORIGIN");
    println!("cargo::rustc-cdylib-link-arg=-Wl,-soname,libmcm_avdevice.so");
}
