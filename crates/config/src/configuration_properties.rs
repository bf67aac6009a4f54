//! Properties of the configuration of a connection, over texts of any kind.

use proptest::prelude::*;

use crate::configuration_tests::in_group;
use media::PixelFormat;

use crate::*;

/// Pieces of which a text is likely to get far into the parser.
fn json_like() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        proptest::sample::select(vec![
            "{",
            "}",
            "[",
            "]",
            ":",
            ",",
            "\"",
            "\\",
            "\\u",
            "//",
            "/*",
            "*/",
            "\n",
            "-",
            "1e999",
            "0",
            "60000/1001",
            "null",
            "true",
            "\"connection\"",
            "\"multipointGroup\"",
            "\"urn\"",
            "\"payload\"",
            "\"video\"",
            "\"fps\"",
            "\"audio\"",
            "\"st2110\"",
            "\"ipAddr\"",
            "\"options\"",
            "\"bufferQueueCapacity\"",
            "é",
            "\u{feff}",
        ])
        .prop_map(str::to_owned),
        "\\PC{0,4}",
    ];
    proptest::collection::vec(piece, 0..60).prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn no_text_makes_the_reader_panic(text in prop_oneof![any::<String>(), json_like()]) {
        let errors = [ConnectionConfig::from_json(&text, Kind::Receiver).err(), ClientConfig::from_json(&text).err()];
        for error in errors.into_iter().flatten() {
            prop_assert!(!error.to_string().chars().any(char::is_control), "{error}");
            prop_assert!(error.to_string().len() < 1000, "{error}");
        }
    }

    #[test]
    fn no_value_anywhere_makes_the_reader_panic(
        key in proptest::sample::select(vec!["width", "height", "fps", "pixelFormat"]),
        value in prop_oneof![any::<f64>().prop_map(|x| format!("{x:e}")), any::<i128>().prop_map(|x| x.to_string()), json_like()],
    ) {
        let _ = in_group(&format!(r#""payload": {{"video": {{"{key}": {value}}}}}"#));
    }

    #[test]
    fn what_is_read_is_valid_and_compatible_with_itself(
        width in 1_u32..5000, height in 1_u32..5000, fps in 1.0_f64..300.0,
        format in proptest::sample::select(PixelFormat::ALL),
    ) {
        let text = format!(
            r#""payload": {{"video": {{"width": {width}, "height": {height}, "fps": {fps}, "pixelFormat": "{format}"}}}}"#
        );
        match in_group(&text) {
            Ok(config) => {
                prop_assert_eq!(config.validate(), Ok(()));
                prop_assert_eq!(config.check_compatible(&config), Ok(()));
                prop_assert_eq!(config.payload_size() as usize, format.frame_size(width, height).unwrap());
            }
            Err(error) => prop_assert_eq!(error.kind, ConfigErrorKind::Incompatible, "{}", error),
        }
    }
}
