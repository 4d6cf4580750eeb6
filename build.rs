//! Hands the interpreter's version to `cfg`: `Py_3_12`, `Py_GIL_DISABLED`, ...

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    pyo3_build_config::use_pyo3_cfgs();
}
