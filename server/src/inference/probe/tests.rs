//! The seeds of `server/fuzz`, and bodies near them, are read without a panic; those of a form's own folder are right.

use std::path::{Path, PathBuf};

use super::*;

/// Bodies near a seed.
const NEAR: u64 = 100;

fn seeds(folder: &str) -> Vec<(PathBuf, Vec<u8>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/seeds").join(folder);
    let files = std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path());
    files.map(|path| (path.clone(), std::fs::read(path).unwrap())).collect()
}

/// A generator of numbers (Steele, Lea & Flood 2014, splitmix64): the same seed gives the same bodies.
fn next(state: &mut u64) -> usize {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut z = *state;
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    (z ^ (z >> 31)) as usize
}

/// A body that differs in a few places.
fn near(body: &[u8], state: &mut u64) -> Vec<u8> {
    const ODD: [&[u8]; 14] = [
        b"[", b"]", b"{", b"}", b"\"", b",", b":", b"null", b"1e999", b"\\ud800", b"\xff", b"-", b"NaN",
        b"\n",
    ];
    let mut body = body.to_vec();
    for _ in 0..=next(state) % 3 {
        let place = next(state) % (body.len() + 1);
        match next(state) % 4 {
            0 => body.truncate(place),
            1 if place < body.len() => {
                body.remove(place);
            }
            2 => {
                let end = place + next(state) % (body.len() - place + 1);
                let copied = body[place..end].to_vec();
                body.splice(place..place, copied);
            }
            _ => drop(body.splice(place..place, ODD[next(state) % ODD.len()].iter().copied())),
        }
    }
    body
}

#[test]
fn seeds_are_right_and_nothing_near_them_breaks_a_reader() {
    let probes = [Probe::of_table(false), Probe::of_table(true), Probe::of_images()];
    let mut state = 7;
    for (folder, form) in Form::ALL {
        for (path, body) in seeds(folder) {
            let read = probes.iter().filter(|probe| probe.read(form, &body).is_ok_and(|rows| rows > 0));
            let is_wrong = path.file_name().unwrap().to_string_lossy().starts_with("wrong");
            assert_eq!(read.count() == 0, is_wrong, "{}", path.display());
            for _ in 0..NEAR {
                let body = near(&body, &mut state);
                for probe in &probes {
                    for (_, form) in Form::ALL {
                        let _ = probe.read(form, &body);
                    }
                }
                read_formats(&String::from_utf8_lossy(&body));
            }
        }
    }
}
