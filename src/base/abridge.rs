//! Messages without floods: what a file says is quoted in errors, and a file can say a megabyte.

use std::{borrow::Cow, fmt::Write as _};

/// Longer stretches without a blank are no word that anybody reads.
const MOST_UNBROKEN: usize = 400;
/// What stays of such a stretch, at either end.
const KEPT: usize = 60;
/// Characters that a message may have.
const MOST: usize = 10_000;

/// A message whose unbroken stretches of more than 400 characters are cut in their middle, and which ends after 10,000.
#[must_use]
pub fn abridged(text: &str) -> Cow<'_, str> {
    if text.len() <= MOST_UNBROKEN {
        return Cow::Borrowed(text);
    }
    let mut cut = String::new();
    for piece in text.split_inclusive(char::is_whitespace) {
        let n_chars = piece.chars().count();
        if n_chars <= MOST_UNBROKEN {
            cut.push_str(piece);
        } else {
            cut.extend(piece.chars().take(KEPT));
            // Writing to a text does not fail.
            let _ = write!(cut, "…({n_chars} characters)…");
            cut.extend(piece.chars().skip(n_chars - KEPT));
        }
    }
    if cut.chars().count() > MOST {
        cut = cut.chars().take(MOST).collect::<String>() + "…";
    }
    Cow::Owned(cut)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_stay_and_floods_do_not() {
        let usual = "`model_type` is `bart` ".repeat(30);
        assert_eq!(abridged(&usual), usual);
        let flood = format!("`model_type` is `{}`, which lmpipe does not read", "é".repeat(100_000));
        let told = abridged(&flood);
        assert!(told.starts_with("`model_type` is `éé") && told.ends_with("which lmpipe does not read"), "{told}");
        assert!(told.contains("…(100004 characters)…") && told.chars().count() < 250, "{told}");
        assert!(abridged(&"many words ".repeat(100_000)).chars().count() <= MOST + 1);
    }
}
