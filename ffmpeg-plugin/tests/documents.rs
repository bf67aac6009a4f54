//! The commands of docs/ffmpeg.md, exactly as printed.

mod common;

use common::{Mesh, PATIENT, finish};
use mcm_tests::process::Process;
use mcm_tests::wait;
use std::process::Command;

/// Commands that need what a test does not have: cameras, screens, networks.
const ELSEWHERE: [&str; 3] = ["v4l2", "x11grab", "st2110"];

/// Groups that commands receive from, and what a source of each sends.
const GROUPS: [(&str, &str); 4] = [
    ("film", "-map 0:v -pix_fmt yuv422p10le -f mcm"),
    ("film-audio", "-map 0:a -ar 48000 -ac 2 -f mcm_audio_pcm24"),
    ("film-v210", "-map 0:v -c:v v210 -f mcm"),
    ("camera-1", "-map 0:v -pix_fmt yuv420p -f mcm"),
];

/// All commands of the document that begin with one of the wrappers.
fn commands() -> Vec<String> {
    let text = include_str!("../../docs/ffmpeg.md");
    let blocks = text.split("```bash\n").skip(1).filter_map(|block| block.split("```").next());
    let joined: Vec<String> = blocks.map(|block| block.replace("\\\n", " ")).collect();
    let lines = joined.iter().flat_map(|block| block.lines());
    lines.filter(|line| line.starts_with("mcm-")).map(str::to_owned).collect()
}

/// The groups that a command sends to and those that it receives from.
fn groups(command: &str) -> (Vec<&str>, Vec<&str>) {
    let words: Vec<&str> = command.split_whitespace().collect();
    let (mut sends, mut receives) = (Vec::new(), Vec::new());
    let mut device = false;
    for (index, word) in words.iter().enumerate() {
        if let Some((_, group)) = word.strip_prefix("av://").and_then(|it| it.split_once(':')) {
            receives.push(group);
        }
        device |= index > 0 && words[index - 1] == "-f" && word.starts_with("mcm");
        let option = |word: &str| word.starts_with('-') && word != "-";
        let value = index > 0 && option(words[index - 1]) && words[index - 1] != "-i";
        if !device || option(word) || value {
            continue;
        }
        let input = words[index - 1] == "-i" || !words[0].ends_with("ffmpeg");
        if input {
            receives.push(*word)
        } else {
            sends.push(*word)
        }
        device = false;
    }
    (sends, receives)
}

fn pasted(mesh: &Mesh, command: &str) -> Process {
    let mut shell = Command::new("sh");
    let path = std::env::var("PATH").unwrap_or_default();
    shell.env("PATH", format!("{}:{path}", mesh.file("bin").display()));
    shell.env("MCM_RUN_DIR", mesh.run.path()).current_dir(mesh.run.outside());
    // No screen is needed, and what would ask is answered.
    shell.env("SDL_VIDEODRIVER", "dummy").env("SDL_AUDIODRIVER", "dummy");
    let command = command.replacen("mcm-ffmpeg ", "exec mcm-ffmpeg -nostdin -y ", 1);
    let command = command.replacen("mcm-ffplay ", "exec mcm-ffplay -autoexit ", 1);
    let mpv = "exec mcm-mpv --no-config --vo=null --ao=null ";
    shell.arg("-c").arg(command.replacen("mcm-mpv ", mpv, 1));
    Process::start("pasted", shell, |_| false)
}

#[test]
fn every_command_does_what_it_says() {
    let mut tried = 0;
    for command in commands() {
        if ELSEWHERE.iter().any(|word| command.contains(word)) {
            continue;
        }
        let mut mesh = Mesh::new();
        mesh.clip("1920x1080", 1);
        mesh.plain("-i clip.mp4 -c copy film.mov");
        std::fs::rename(mesh.file("clip.mp4"), mesh.file("film.mp4")).unwrap();
        let (sends, receives) = groups(&command);
        let mut others = Vec::new();
        for (group, output) in GROUPS.iter().filter(|(group, _)| receives.contains(group)) {
            let source = format!("-i film.mp4 {output} -wait_receivers 1 {PATIENT} {group}");
            others.push(mesh.start("source", &source));
            mesh.wait_for_source(group);
        }
        let clients = mesh.control.info().clients + sends.len() as u32;
        for group in &sends {
            let device = if group.ends_with("audio") { "mcm_audio" } else { "mcm" };
            // A command that asks for its group from the start cannot be too late for a live
            // source.
            others.push(
                mesh.start("receiver", &format!("-f {device} -i {group} -c copy -t 0.1 -f null -")),
            );
        }
        wait::until("the receivers ask", || mesh.control.info().clients >= clients);
        let mut pasted = pasted(&mesh, &command);
        if sends.is_empty() {
            assert!(pasted.wait().success(), "{command}\n{}", pasted.output());
            others.iter_mut().for_each(Process::kill);
        } else {
            others.into_iter().for_each(finish);
            assert!(
                !pasted.has_ended() || pasted.wait().success(),
                "{command}\n{}",
                pasted.output()
            );
            pasted.kill();
        }
        tried += 1;
    }
    assert!(tried >= 9, "only {tried} commands were found");
}

#[test]
fn groups_of_commands_are_seen() {
    let (sends, receives) =
        groups("mcm-ffmpeg -i film.mp4 -f mcm film -f mcm_audio -ptime 1ms film-audio");
    assert_eq!((sends, receives), (vec!["film", "film-audio"], vec![]));
    let (sends, receives) = groups("mcm-ffmpeg -f mcm -i film -c:v libx264 recording.mp4");
    assert_eq!((sends, receives), (vec![], vec!["film"]));
    assert_eq!(groups("mcm-ffplay -f mcm camera-1"), (vec![], vec!["camera-1"]));
    assert_eq!(groups("mcm-mpv --untimed av://mcm:film"), (vec![], vec!["film"]));
}
