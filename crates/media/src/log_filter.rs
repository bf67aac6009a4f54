//! What an environment variable asks to be logged, in the filter syntax of `env_logger`.

/// The levels that a filter may name.
const LEVELS: [&str; 6] = ["off", "error", "warn", "info", "debug", "trace"];

/// A filter, and what is wrong with the variable that it comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogFilter {
    /// Directives for `env_logger`.
    pub directives: String,
    /// A sentence about a part of the variable that has no effect.
    pub complaint: Option<String>,
}

impl LogFilter {
    /// Reads a variable: a level for everything takes the place of `usual`; levels of single
    /// modules, `MODULE=LEVEL`, go beside it. What is neither is complained about and has no
    /// effect, so that a slip of the pen does not silence a program.
    #[must_use]
    pub fn read(variable: Option<&str>, usual: &str) -> Self {
        let (mut all, mut modules, mut complaint) = (None, Vec::new(), None);
        // After a slash comes a text that lines must contain.
        let (text, search) = match variable.unwrap_or_default().split_once('/') {
            Some((text, search)) => (text, format!("/{search}")),
            None => (variable.unwrap_or_default(), String::new()),
        };
        let level = |word: &str| LEVELS.contains(&word.trim().to_ascii_lowercase().as_str());
        for part in text.split(',').map(str::trim).filter(|part| !part.is_empty()) {
            match part.split_once('=') {
                None if level(part) => all = Some(part),
                Some((module, word)) if level(word) && is_module(module.trim()) => {
                    modules.push(part)
                }
                _ => {
                    complaint.get_or_insert_with(|| {
                        format!(
                            "found \"{}\", ignored; allowed: {}, or MODULE=LEVEL, separated by commas",
                            part.escape_debug(),
                            LEVELS.join(", ")
                        )
                    });
                }
            }
        }
        let directives: Vec<_> = std::iter::once(all.unwrap_or(usual)).chain(modules).collect();
        Self { directives: directives.join(",") + &search, complaint }
    }
}

fn is_module(name: &str) -> bool {
    !name.is_empty() && name.chars().all(|c| c.is_alphanumeric() || matches!(c, '_' | ':' | '-'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_modules_and_slips() {
        let usual = "warn,media_proxy=info";
        for (variable, directives, complains) in [
            (None, usual, false),
            (Some(""), usual, false),
            (Some("debug"), "debug", false),
            (Some("OFF"), "OFF", false),
            (Some("mesh_agent=trace"), "warn,media_proxy=info,mesh_agent=trace", false),
            (Some("error, shm::futex=debug"), "error,shm::futex=debug", false),
            (Some("inof"), usual, true),
            (Some("garbage==="), usual, true),
            (Some("ring=inof,debug"), "debug", true),
            (Some("info/frame"), "info/frame", false),
        ] {
            let filter = LogFilter::read(variable, usual);
            assert_eq!(filter.directives, directives, "{variable:?}");
            assert_eq!(filter.complaint.is_some(), complains, "{variable:?}");
        }
        let complaint = LogFilter::read(Some("inof"), usual).complaint.unwrap();
        assert!(complaint.contains("\"inof\"") && complaint.contains("info"), "{complaint}");
    }
}
