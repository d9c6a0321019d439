//! The entities of HTML 4, named characters, as HTML 5 reads them.

use std::{collections::BTreeMap, sync::LazyLock};

use crate::text::ops::encoding;

/// A name and its character, one after the other. Spaces and what has no width are below.
const NAMED: &str = "
    AElig Æ Aacute Á Acirc Â Agrave À Alpha Α Aring Å Atilde Ã Auml Ä Beta Β Ccedil Ç Chi Χ Dagger ‡ Delta Δ ETH Ð
    Eacute É Ecirc Ê Egrave È Epsilon Ε Eta Η Euml Ë Gamma Γ Iacute Í Icirc Î Igrave Ì Iota Ι Iuml Ï Kappa Κ
    Lambda Λ Mu Μ Ntilde Ñ Nu Ν OElig Œ Oacute Ó Ocirc Ô Ograve Ò Omega Ω Omicron Ο Oslash Ø Otilde Õ Ouml Ö Phi Φ
    Pi Π Prime ″ Psi Ψ Rho Ρ Scaron Š Sigma Σ THORN Þ Tau Τ Theta Θ Uacute Ú Ucirc Û Ugrave Ù Upsilon Υ Uuml Ü Xi Ξ
    Yacute Ý Yuml Ÿ Zeta Ζ aacute á acirc â acute ´ aelig æ agrave à alefsym ℵ alpha α amp & and ∧ ang ∠ apos '
    aring å asymp ≈ atilde ã auml ä bdquo „ beta β brvbar ¦ bull • cap ∩ ccedil ç cedil ¸ cent ¢ chi χ circ ˆ
    clubs ♣ cong ≅ copy © crarr ↵ cup ∪ curren ¤ dArr ⇓ dagger † darr ↓ deg ° delta δ diams ♦ divide ÷ eacute é
    ecirc ê egrave è empty ∅ epsilon ε equiv ≡ eta η eth ð euml ë euro € exist ∃ fnof ƒ forall ∀ frac12 ½ frac14 ¼
    frac34 ¾ frasl ⁄ gamma γ ge ≥ gt > hArr ⇔ harr ↔ hearts ♥ hellip … iacute í icirc î iexcl ¡ igrave ì image ℑ
    infin ∞ int ∫ iota ι iquest ¿ isin ∈ iuml ï kappa κ lArr ⇐ lambda λ lang ⟨ laquo « larr ← lceil ⌈ ldquo “ le ≤
    lfloor ⌊ lowast ∗ loz ◊ lsaquo ‹ lsquo ‘ lt < macr ¯ mdash — micro µ middot · minus − mu μ nabla ∇ ndash – ne ≠
    ni ∋ not ¬ notin ∉ nsub ⊄ ntilde ñ nu ν oacute ó ocirc ô oelig œ ograve ò oline ‾ omega ω omicron ο oplus ⊕
    or ∨ ordf ª ordm º oslash ø otilde õ otimes ⊗ ouml ö para ¶ part ∂ permil ‰ perp ⊥ phi φ pi π piv ϖ plusmn ±
    pound £ prime ′ prod ∏ prop ∝ psi ψ quot \" rArr ⇒ radic √ rang ⟩ raquo » rarr → rceil ⌉ rdquo ” real ℜ reg ®
    rfloor ⌋ rho ρ rsaquo › rsquo ’ sbquo ‚ scaron š sdot ⋅ sect § sigma σ sigmaf ς sim ∼ spades ♠ sub ⊂ sube ⊆
    sum ∑ sup ⊃ sup1 ¹ sup2 ² sup3 ³ supe ⊇ szlig ß tau τ there4 ∴ theta θ thetasym ϑ thorn þ tilde ˜ times ×
    trade ™ uArr ⇑ uacute ú uarr ↑ ucirc û ugrave ù uml ¨ upsih ϒ upsilon υ uuml ü weierp ℘ xi ξ yacute ý yen ¥
    yuml ÿ zeta ζ
";

static ENTITIES: LazyLock<BTreeMap<&'static str, char>> = LazyLock::new(|| {
    let words: Vec<&str> = NAMED.split_whitespace().collect();
    let named = words.chunks(2).filter_map(|pair| Some((*pair.first()?, pair.last()?.chars().next()?)));
    // A space that does not break the line is a space in plain text.
    let spaces = ["nbsp", "ensp", "emsp", "thinsp"].map(|name| (name, ' '));
    let widthless =
        [("shy", '\u{ad}'), ("zwnj", '\u{200c}'), ("zwj", '\u{200d}'), ("lrm", '\u{200e}'), ("rlm", '\u{200f}')];
    named.chain(spaces).chain(widthless).collect()
});

/// Bytes of the longest entity that is known, with `&` and `;`.
const LONGEST: usize = 12;

/// Copies a text, with `&amp;`, `&#39;`, `&#x27;` and the other entities resolved.
pub(super) fn resolve(text: &str, out: &mut String) {
    let mut rest = text;
    while let Some(at) = rest.find('&') {
        out.push_str(&rest[..at]);
        rest = &rest[at..];
        // A text with many `&` must not be searched to its end for each.
        let end = rest.bytes().take(LONGEST).position(|byte| byte == b';');
        let character = end.and_then(|end| match rest[1..end].strip_prefix('#') {
            Some(digits) => numbered(digits),
            None => ENTITIES.get(&rest[1..end]).copied(),
        });
        if let (Some(c), Some(end)) = (character, end) {
            out.push(c);
            rest = &rest[end + 1..];
        } else {
            out.push('&');
            rest = &rest[1..];
        }
    }
    out.push_str(rest);
}

/// The character of a number; those that are control characters in Unicode are meant as Windows-1252, as browsers do.
fn numbered(digits: &str) -> Option<char> {
    let hex = digits.strip_prefix(['x', 'X']);
    let value = hex.map_or_else(|| digits.parse().ok(), |hex| u32::from_str_radix(hex, 16).ok())?;
    match value {
        0 => Some('\u{fffd}'),
        0x80..=0x9f => encoding::windows_1252(value as u8),
        _ => char::from_u32(value),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_has_a_character() {
        assert_eq!(ENTITIES.len(), 253);
        for (name, c) in ENTITIES.iter() {
            let mut out = String::new();
            resolve(&format!("&{name};"), &mut out);
            assert_eq!(out, c.to_string(), "{name}");
        }
    }
}
