//! Files with session descriptions.

use std::io::Read;

use media::ConfigError;

/// A session description may be at most so long, in bytes.
const MAX_SDP: u64 = 1 << 16;

/// The text of the file that `connection.st2110.sdpFile` names, for whoever reads configurations.
///
/// # Errors
/// Invalid: it is no regular file, cannot be read, is no text, or is longer than 65536 bytes.
pub fn read_sdp_file(path: &str) -> Result<String, ConfigError> {
    let refuse = |reason: String| {
        let found = format!("{path}: {reason}");
        ConfigError::invalid("connection.st2110.sdpFile", found, "a readable file of SDP text")
    };
    // Looked at first: opening a pipe would wait for its writer.
    let kind = std::fs::metadata(path).map_err(|error| refuse(error.to_string()))?;
    if !kind.is_file() {
        return Err(refuse("not a regular file".to_owned()));
    }
    let mut text = String::new();
    let file = std::fs::File::open(path).map_err(|error| refuse(error.to_string()))?;
    let read = file.take(MAX_SDP + 1).read_to_string(&mut text);
    read.map_err(|error| refuse(error.to_string()))?;
    if text.len() as u64 > MAX_SDP {
        return Err(refuse(format!("more than {MAX_SDP} bytes")));
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_file_of_text_is_refused() {
        let long = std::env::temp_dir().join(format!("mcm-media-{}.sdp", std::process::id()));
        std::fs::write(&long, vec![b'v'; MAX_SDP as usize + 1]).unwrap();
        let too_long = read_sdp_file(long.to_str().unwrap());
        std::fs::write(&long, "v=0\n").unwrap();
        let fits = read_sdp_file(long.to_str().unwrap());
        std::fs::remove_file(&long).unwrap();
        assert!(too_long.unwrap_err().found.ends_with("more than 65536 bytes"));
        assert_eq!(fits.unwrap(), "v=0\n");
        for path in ["/nonexistent.sdp", "/dev/zero", "/"] {
            let error = read_sdp_file(path).unwrap_err();
            assert_eq!(error.path, "connection.st2110.sdpFile");
            assert!(error.found.starts_with(path), "{error}");
        }
    }
}
