//! Configurations as programs of the established API write them, and those with slips of the pen.

use crate::*;

fn read(members: &str) -> Result<(ConnectionConfig, Vec<ConfigWarning>), ConfigError> {
    let text = format!("{{{members}}}");
    ConnectionConfig::from_json_with_warnings(&text, Kind::Receiver)
}

fn in_group(members: &str) -> Result<(ConnectionConfig, Vec<ConfigWarning>), ConfigError> {
    read(&format!(
        r#""connection": {{"multipointGroup": {{"urn": "cam"}}}}, "maxPayloadSize": 8{members}"#
    ))
}

fn stream(members: &str) -> Result<ConnectionConfig, ConfigError> {
    read(&format!(r#""connection": {{"st2110": {{{members}}}}}, "payload": {{"video": {{}}}}"#))
        .map(|(config, _)| config)
}

#[track_caller]
fn refused(result: Result<ConnectionConfig, ConfigError>, path: &str) {
    let error = result.expect_err(path);
    assert_eq!((error.kind, error.path.as_str()), (ConfigErrorKind::Invalid, path), "{error}");
}

#[test]
fn queues_of_1_to_255_buffers_are_brought_to_what_there_is() {
    for (asked, given) in [(1, 2), (2, 2), (128, 128), (129, 128), (255, 128)] {
        let (config, warnings) = in_group(&format!(r#", "bufferQueueCapacity": {asked}"#)).unwrap();
        assert_eq!(config.queue_capacity, given);
        let told: Vec<_> = warnings.iter().map(ToString::to_string).collect();
        if asked == given {
            assert!(told.is_empty(), "{told:?}");
        } else {
            let text = format!(
                "bufferQueueCapacity: {asked} is taken as {given}; queues have 2 to 128 buffers"
            );
            assert_eq!(told, [text]);
        }
    }
}

#[test]
fn both_generations_of_stream_addresses() {
    let newer = stream(r#""ipAddr": "239.0.0.1", "port": 5004"#).unwrap();
    for older in [
        r#""remoteIpAddr": "239.0.0.1", "remotePort": 5004"#,
        r#""remoteIpAddr": "239.0.0.1", "remotePort": "5004""#,
        r#""ipAddr": "239.0.0.1", "remotePort": 5004"#,
    ] {
        assert_eq!(stream(older).unwrap(), newer, "{older}");
    }
}

#[test]
fn errors_name_the_address_as_it_was_written() {
    for (members, path) in [
        (r#""remoteIpAddr": "cam", "remotePort": 5004"#, "connection.st2110.remoteIpAddr"),
        (r#""remoteIpAddr": "0.0.0.0", "remotePort": 5004"#, "connection.st2110.remoteIpAddr"),
        (r#""remoteIpAddr": "239.0.0.1", "remotePort": 0"#, "connection.st2110.remotePort"),
        (r#""remoteIpAddr": "239.0.0.1", "remotePort": "x""#, "connection.st2110.remotePort"),
        (r#""ipAddr": "0.0.0.0", "port": 5004"#, "connection.st2110.ipAddr"),
        (
            r#""ipAddr": "239.0.0.1", "remoteIpAddr": "239.0.0.1", "port": 1"#,
            "connection.st2110.remoteIpAddr",
        ),
        (r#""ipAddr": "239.0.0.1", "remotePort": 1, "port": 1"#, "connection.st2110.remotePort"),
    ] {
        refused(stream(members), path);
    }
}

#[test]
fn one_text_serves_client_and_connection() {
    let text = r#"{ "strict": true, "apiVersion": "v1", "apiConnectionString": "Server=; Port=",
        "apiDefaultTimeoutMicroseconds": 1000, "maxMediaConnections": 4,
        "bufferQueueCapacity": 4, "maxPayloadSize": 8, "maxMetadataSize": 0, "connCreationDelayMilliseconds": 0,
        "connection": {"multipointGroup": {"urn": "cam"}}, "options": {}, "payload": {"blob": {}} }"#;
    let (client, warnings) = ClientConfig::from_json_with_warnings(text).unwrap();
    assert_eq!((client.max_connections, warnings.len()), (4, 0));
    assert_eq!(ConnectionConfig::from_json(text, Kind::Receiver).unwrap().queue_capacity, 4);
}

#[test]
fn misspelt_kinds_are_named() {
    let text = |members: &str| read(members).unwrap_err().to_string();
    let group = r#""connection": {"multipointGroup": {"urn": "cam"}}"#;
    let payload = text(&format!(r#"{group}, "payload": {{"vidoe": {{"width": 8}}}}"#));
    assert!(
        payload.contains(r#"payload: found "vidoe"; allowed: one of video, audio"#),
        "{payload}"
    );
    let connection = text(r#""connection": {"multipointgroup": {"urn": "cam"}}"#);
    assert!(
        connection.contains(r#"connection: found "multipointgroup"; allowed: one of"#),
        "{connection}"
    );
}

#[test]
fn numbers_are_shown_without_quotes() {
    for (fps, found) in [("0", "found 0;"), ("\"0\"", "found \"0\";"), ("-2.5", "found -2.5;")] {
        let members = format!(
            r#""connection": {{"multipointGroup": {{"urn": "cam"}}}}, "payload": {{"video": {{"fps": {fps}}}}}"#
        );
        let error = read(&members).unwrap_err().to_string();
        assert!(error.contains(found) && error.contains("payload.video.fps"), "{error}");
    }
}

#[test]
fn typos_are_told_and_strict_refuses_them() {
    let typos = r#", "option": {}, "payload": {"video": {"pixelformat": "v210", "width": 48}}"#;
    let text = typos.replace(r#", "payload""#, r#", "options": {"deliver": "live"}, "payload""#);
    let group = r#""connection": {"multipointGroup": {"urn": "cam"}}"#;
    let (_, warnings) = read(&format!("{group}{text}")).unwrap();
    let paths: Vec<_> = warnings.iter().map(|warning| warning.path.as_str()).collect();
    assert_eq!(paths, ["payload.video.pixelformat", "options.deliver", "option"]);
    assert!(warnings[1].text.contains("did you mean \"delivery\"?"), "{}", warnings[1]);
    refused(
        read(&format!(r#""strict": true, {group}{text}"#)).map(|(config, _)| config),
        "payload.video.pixelformat",
    );
}
