//! Sealed archives.

use std::fs::File;
use std::io::{BufReader, Read};
use std::path::Path;

use age::{DecryptError, Decryptor};

use super::RestoreError;
use crate::backup::keys::Identity;

/// The tar.gz inside a sealed archive. Its end is authentic only when it was read to the end without an error.
pub fn open(file: &Path, identity: &Identity) -> Result<impl Read + use<>, RestoreError> {
    let sealed = File::open(file).map_err(RestoreError::disk(file))?;
    let decryptor = Decryptor::new_buffered(BufReader::with_capacity(64 * 1024, sealed)).map_err(explain)?;
    decryptor.decrypt(std::iter::once(identity.for_age())).map_err(explain)
}

fn explain(error: DecryptError) -> RestoreError {
    match error {
        DecryptError::NoMatchingKeys => RestoreError::WrongKey,
        other => RestoreError::Undecryptable(other.to_string()),
    }
}
