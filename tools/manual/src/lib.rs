//! Manual pages and shell completions from the declarations of command lines.
//!
//! A test of each program calls [`check`], which holds the committed files of `packaging/generated`
//! against the declaration. With `MCM_GENERATE=1` in the environment it writes them:
//! `./build.sh manuals`.

use clap::Command;
use clap_complete::Shell;
use clap_mangen::Man;
use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

/// Set to write files that differ.
const GENERATE: &str = "MCM_GENERATE";
/// How to do that.
const HINT: &str = "run ./build.sh manuals";

/// Compares the manual pages and completions of a program with the committed ones, or writes them.
///
/// The page of the program is `packaging/man/NAME.1.in`, in which lines `@SYNOPSIS@`, `@OPTIONS@`
/// and `@COMMANDS@` stand for sections that follow from the declaration. Each command of the
/// program has a page that is generated as a whole.
///
/// # Errors
/// The files that differ, are missing, or are of a command that there is no more; or cannot be read
/// or written.
pub fn check(command: Command) -> Result<(), String> {
    let packaging = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../packaging"));
    let generated = packaging.join("generated");
    let files = files(command, packaging).map_err(|error| error.to_string())?;
    let write = std::env::var_os(GENERATE).is_some_and(|value| value == "1");
    let mut wrong = Vec::new();
    for (path, text) in &files.texts {
        let path = generated.join(path);
        if std::fs::read_to_string(&path).is_ok_and(|found| found == *text) {
            continue;
        }
        let fail = |error: io::Error| format!("{}: {error}", path.display());
        if write {
            std::fs::create_dir_all(path.parent().unwrap_or(&generated)).map_err(fail)?;
            std::fs::write(&path, text).map_err(fail)?;
        } else {
            wrong.push(format!("{} is out of date: {HINT}", path.display()));
        }
    }
    for path in files.stale(&generated) {
        if write {
            std::fs::remove_file(&path).map_err(|error| format!("{}: {error}", path.display()))?;
        } else {
            wrong.push(format!("{} is of no command: {HINT}", path.display()));
        }
    }
    if wrong.is_empty() { Ok(()) } else { Err(wrong.join("\n")) }
}

/// What is generated for a program.
struct Files {
    /// The program's name.
    program: String,
    /// Texts by their paths below `packaging/generated`.
    texts: BTreeMap<PathBuf, String>,
}

impl Files {
    /// Pages of commands that the program does not have.
    fn stale(&self, generated: &Path) -> Vec<PathBuf> {
        let pages = std::fs::read_dir(generated.join("man")).into_iter().flatten().flatten();
        let of_command = format!("{}-", self.program);
        let ours = pages.filter(|page| page.file_name().to_string_lossy().starts_with(&of_command));
        let stale =
            ours.filter(|page| !self.texts.contains_key(&Path::new("man").join(page.file_name())));
        stale.map(|page| page.path()).collect()
    }
}

fn files(command: Command, packaging: &Path) -> io::Result<Files> {
    let program = command.get_name().to_owned();
    let mut texts = BTreeMap::new();
    for (directory, shell) in [("bash", Shell::Bash), ("zsh", Shell::Zsh), ("fish", Shell::Fish)] {
        let file = match shell {
            Shell::Zsh => format!("_{program}"),
            Shell::Fish => format!("{program}.fish"),
            _ => program.clone(),
        };
        let mut text = Vec::new();
        clap_complete::generate(shell, &mut command.clone(), &program, &mut text);
        texts.insert(Path::new(directory).join(file), utf8(text)?);
    }
    // Pages say "mcm-list", and have none for "mcm help".
    let mut command = command.disable_help_subcommand(true);
    command.build();
    let template = packaging.join(format!("man/{program}.1.in"));
    let template = std::fs::read_to_string(&template).map_err(|error| {
        io::Error::new(error.kind(), format!("{}: {error}", template.display()))
    })?;
    texts.insert(format!("man/{program}.1").into(), page(&command, &template)?);
    for subcommand in command.get_subcommands() {
        let name = subcommand.get_display_name().unwrap_or(subcommand.get_name());
        texts.insert(format!("man/{name}.1").into(), command_page(subcommand, &program)?);
    }
    Ok(Files { program, texts })
}

/// The page of a program, from its template.
fn page(command: &Command, template: &str) -> io::Result<String> {
    let man = Man::new(command.clone());
    let mut text = Vec::new();
    for line in template.lines() {
        match line {
            "@SYNOPSIS@" => man.render_synopsis_section(&mut text)?,
            "@OPTIONS@" => man.render_options_section(&mut text)?,
            "@COMMANDS@" => man.render_subcommands_section(&mut text)?,
            line => text.extend([line.as_bytes(), b"\n"].concat()),
        }
    }
    utf8(text)
}

/// The page of a command. Its description is what its help says before and after the options.
fn command_page(command: &Command, program: &str) -> io::Result<String> {
    let parts = [command.get_about(), command.get_after_help()];
    let description: Vec<_> = parts.iter().flatten().map(ToString::to_string).collect();
    let name = command.get_display_name().unwrap_or(command.get_name()).to_uppercase();
    let man = Man::new(command.clone().long_about(description.join(".\n\n")));
    let mut text =
        format!(".TH {name} 1 \"\" \"Media Communications Mesh\" \"User Commands\"\n").into_bytes();
    man.render_name_section(&mut text)?;
    man.render_synopsis_section(&mut text)?;
    man.render_description_section(&mut text)?;
    man.render_options_section(&mut text)?;
    text.extend(format!(".SH \"SEE ALSO\"\n.BR {program} (1)\n").into_bytes());
    utf8(text)
}

fn utf8(text: Vec<u8>) -> io::Result<String> {
    String::from_utf8(text).map_err(io::Error::other)
}
