//! Texts in every format that a service can expect: what is put right is right, and stays so.

#![no_main]

use chasqui_server::inference::probe::read_formats;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| read_formats(text));
