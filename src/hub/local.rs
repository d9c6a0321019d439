//! A local folder.

use std::path::Path;

use super::Found;

pub(super) fn fetch(path: &Path) -> Result<Found, String> {
    if path.is_dir() {
        Ok(Found { dir: path.to_owned(), made: None })
    } else if path.exists() {
        Err("this is a file, a model is a folder".to_owned())
    } else {
        Err(format!("there is no folder `{}`", path.display()))
    }
}
