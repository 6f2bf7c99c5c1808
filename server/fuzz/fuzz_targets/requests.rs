//! Bodies of requests in every form, for a service of a table and one of images: no reader panics, hangs or takes
//! memory that the body does not account for. The first byte of the input says which form it is.

#![no_main]

use std::sync::LazyLock;

use chasqui_server::inference::probe::{Form, Probe};
use libfuzzer_sys::fuzz_target;

static PROBES: LazyLock<[Probe; 3]> =
    LazyLock::new(|| [Probe::of_table(false), Probe::of_table(true), Probe::of_images()]);

fuzz_target!(|input: &[u8]| {
    let Some((&first, body)) = input.split_first() else { return };
    let (_, form) = Form::ALL[usize::from(first) % Form::ALL.len()];
    for probe in PROBES.iter() {
        let _ = probe.read(form, body);
    }
});
