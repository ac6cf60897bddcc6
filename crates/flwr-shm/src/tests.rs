#![allow(clippy::unwrap_used)]

use std::os::unix::fs::FileExt;

use super::*;

const LIMIT: usize = 1 << 30;
const MIB: usize = 1 << 20;

fn draft(bytes: &[u8]) -> Draft {
    let mut draft = Draft::new().unwrap();
    draft.write_all(bytes).unwrap();
    draft
}

fn sealed(bytes: &[u8]) -> OwnedFd {
    draft(bytes).seal().unwrap()
}

fn refused(file: OwnedFd, length: u64) -> String {
    Sealed::check(file, length, LIMIT).unwrap_err().to_string()
}

#[test]
fn a_body_arrives_as_it_was_written() {
    for length in [0, 1, 4096, 20 * MIB - 1, 20 * MIB, 20 * MIB + 1] {
        let mut bytes = (0..=250).collect::<Vec<u8>>().repeat(length / 251 + 1);
        bytes.truncate(length);
        let body = Sealed::check(sealed(&bytes), length as u64, LIMIT).unwrap();
        assert_eq!((body.len(), body.is_empty()), (length, length == 0));
        let mapped = body.map().unwrap();
        assert!(mapped == bytes, "{length}");
        let part = mapped.slice(length / 2..);
        drop(mapped);
        assert!(part == bytes[length / 2..], "a part keeps the mapping");
    }
}

#[test]
fn a_file_of_another_length_is_refused() {
    for announced in [0, 6, 8, u64::from(u32::MAX >> 4)] {
        let text = refused(sealed(b"7 bytes"), announced);
        assert_eq!(
            text,
            format!("the file in memory has 7 bytes, and {announced} were announced")
        );
    }
}

#[test]
fn a_body_above_the_limit_is_refused() {
    for length in [8, u64::MAX] {
        let found = Sealed::check(sealed(b"8 bytes."), length, 7);
        assert!(matches!(found, Err(Refused::TooLong { limit: 7, .. })));
    }
}

#[test]
fn a_file_that_lacks_a_seal_is_refused() {
    for missing in [
        SealFlags::SEAL,
        SealFlags::SHRINK,
        SealFlags::GROW,
        SealFlags::WRITE,
    ] {
        let file = OwnedFd::from(draft(b"body").0);
        fcntl_add_seals(&file, SEALS.difference(missing)).unwrap();
        assert!(refused(file, 4).contains("is not sealed"), "{missing:?}");
    }
    // A later seal against writing lets mappings that are there go on.
    let file = OwnedFd::from(draft(b"body").0);
    let seals = SEALS.difference(SealFlags::WRITE) | SealFlags::FUTURE_WRITE;
    fcntl_add_seals(&file, seals).unwrap();
    assert!(refused(file, 4).contains("is not sealed"));
}

#[test]
fn what_is_no_file_in_memory_is_refused() {
    let (pipe, _writer) = io::pipe().unwrap();
    let program = File::open("/proc/self/exe").unwrap();
    for file in [OwnedFd::from(pipe), OwnedFd::from(program)] {
        assert_eq!(
            refused(file, 0),
            "the descriptor is not one of a file in memory"
        );
    }
    let huge = MemfdFlags::ALLOW_SEALING | MemfdFlags::HUGETLB;
    if let Ok(file) = memfd_create("huge", huge) {
        fcntl_add_seals(&file, SEALS).unwrap();
        assert_eq!(
            refused(file, 0),
            "the descriptor is not one of a file in memory"
        );
    }
}

#[test]
fn a_sealed_body_cannot_change() {
    let file = sealed(b"body");
    let writer = File::from(file.try_clone().unwrap());
    let mapped = Sealed::check(file, 4, LIMIT).unwrap().map().unwrap();
    assert!(writer.write_all_at(b"else", 0).is_err());
    assert!(writer.set_len(2).is_err() && writer.set_len(8).is_err());
    let other = File::options().write(true).open(format!(
        "/proc/self/fd/{}",
        rustix::fd::AsRawFd::as_raw_fd(&writer)
    ));
    assert!(other.is_err() || other.unwrap().write_all_at(b"else", 0).is_err());
    assert!(fcntl_add_seals(&writer, SealFlags::FUTURE_WRITE).is_err());
    assert_eq!(mapped, "body");
}

#[test]
fn a_file_with_a_writable_mapping_cannot_be_sealed() {
    let draft = draft(b"body");
    let Draft(file) = &draft;
    #[expect(
        unsafe_code,
        reason = "a sender that wants to write after it has sealed"
    )]
    // SAFETY: nobody else has the file.
    let mapping = unsafe { MmapOptions::new().map_mut(file) }.unwrap();
    assert!(draft.seal().is_err());
    drop(mapping);
}

#[test]
fn the_file_of_finished_bytes_is_known_while_they_are_held() {
    let mut draft = Draft::new().unwrap();
    draft.write_all(&[7; 10_000]).unwrap();
    let bytes = draft.finish().unwrap();
    assert_eq!(bytes, vec![7; 10_000]);
    let file = file_of(&bytes).unwrap().try_clone().unwrap();
    let received = Sealed::check(file, 10_000, 10_000).unwrap();
    assert_eq!(received.map().unwrap(), bytes);
    assert!(file_of(&bytes.clone()).is_some());
    assert!(file_of(&bytes.slice(..9_999)).is_none());
    assert!(file_of(&bytes.slice(1..)).is_none());
    let copied = Bytes::copy_from_slice(&bytes);
    assert!(file_of(&copied).is_none());
}

#[test]
fn what_is_over_is_forgotten() {
    let written = |byte: u8| {
        let mut draft = Draft::new().unwrap();
        draft.write_all(&[byte; 10_000]).unwrap();
        draft.finish().unwrap()
    };
    let first = written(1);
    let held = file_of(&first).unwrap();
    drop(first);
    assert_eq!(std::sync::Arc::strong_count(&held), 1);
    // The next mapping begins at the same place often, and has a file of its own.
    for byte in 2..10 {
        let bytes = written(byte);
        let file = file_of(&bytes).unwrap().try_clone().unwrap();
        let received = Sealed::check(file, 10_000, 10_000).unwrap().map().unwrap();
        assert_eq!(received, vec![byte; 10_000]);
    }
    assert!(Draft::new().unwrap().finish().unwrap().is_empty());
    assert!(file_of(&Bytes::new()).is_none());
}
