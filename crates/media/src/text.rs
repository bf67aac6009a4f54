//! Foreign text made fit for logs, tables and errors.

/// The longest piece of foreign text that an error repeats, in characters.
const FOUND_LIMIT: usize = 64;

/// Characters that change how the text around them looks, or are not seen at all: control
/// characters, line and paragraph separators, marks and overrides of the writing direction, and
/// characters without width.
pub fn is_unprintable(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

/// Foreign text made fit for one line of a log.
pub fn tame(text: &str) -> String {
    let mut out = String::new();
    for (i, c) in text.chars().enumerate() {
        if i == FOUND_LIMIT {
            out.push('…');
            break;
        }
        if is_unprintable(c) {
            out.extend(c.escape_default());
        } else {
            out.push(c);
        }
    }
    out
}

/// Foreign text in quotes, as an error shows it.
pub fn quoted(text: &str) -> String {
    // Two characters less than the limit, so that the closing quote survives being tamed again.
    let mut end = text.len();
    if let Some((i, _)) = text.char_indices().nth(FOUND_LIMIT - 3) {
        end = i;
    }
    let cut = if end < text.len() { "…" } else { "" };
    format!("\"{}{cut}\"", &text[..end])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_multibyte_text_is_cut_between_characters() {
        assert_eq!(quoted(&"ä".repeat(100)).chars().count(), FOUND_LIMIT);
    }
}
