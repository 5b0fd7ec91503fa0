//! What every pod has: programs, arguments, environment, working directory, exit codes, restarts.

use bowline_tests::node::Case;

#[test]
fn command_and_args_replace_those_of_the_image_and_expand_variables() {
    let Some(case) = Case::open("basics-command") else { return };
    let spec = r#"
restartPolicy: Never
containers:
- command: [sh, -c, 'printf "%s\n" "$@"; pwd', sh]
  args: [one, $(WHO), $$(WHO), $(NOBODY)]
  workingDir: /var/lib/new
  env: [{name: WHO, value: world}]
"#;
    assert_eq!(case.output("words", spec), "one\nworld\n$(WHO)\n$(NOBODY)\n/var/lib/new\n");
}

#[test]
fn an_exit_code_ends_the_pod_as_its_restart_policy_says() {
    let Some(case) = Case::open("basics-exit") else { return };
    let spec = |policy: &str, code: u32| {
        format!("restartPolicy: {policy}\ncontainers: [{{command: [sh, -c, 'exit {code}']}}]\n")
    };
    case.pod("fails", &spec("Never", 3));
    case.pod("succeeds", &spec("OnFailure", 0));
    let failed = case.ended("fails");
    assert_eq!(failed["status"]["phase"], "Failed");
    let ended = &failed["status"]["containerStatuses"][0]["state"]["terminated"];
    assert_eq!((&ended["exitCode"], &ended["reason"]), (&3.into(), &"Error".into()));
    let succeeded = case.ended("succeeds");
    assert_eq!(succeeded["status"]["phase"], "Succeeded");
    assert_eq!(succeeded["status"]["containerStatuses"][0]["state"]["terminated"]["reason"], "Completed");
}

#[test]
fn a_program_that_does_not_exist_is_a_start_error() {
    let Some(case) = Case::open("basics-missing") else { return };
    case.pod("missing", "restartPolicy: Never\ncontainers: [{command: [/no/such/program]}]\n");
    let pod = case.ended("missing");
    let ended = &pod["status"]["containerStatuses"][0]["state"]["terminated"];
    assert_eq!((&ended["exitCode"], &ended["reason"]), (&128.into(), &"StartError".into()), "{pod:#}");
    assert!(ended["message"].as_str().is_some_and(|text| text.contains("/no/such/program")), "{ended}");
}

#[test]
fn the_termination_message_is_the_end_of_its_file_or_of_the_log() {
    let Some(case) = Case::open("basics-message") else { return };
    case.pod(
        "message",
        "
restartPolicy: Never
containers:
- {name: file, command: [sh, -c, 'echo from the log; printf from-the-file > /dev/termination-log; exit 1']}
- name: log
  command: [sh, -c, 'echo from the log; exit 1']
  terminationMessagePolicy: FallbackToLogsOnError
- {name: none, command: [sh, -c, 'echo from the log; exit 1']}
",
    );
    let pod = case.ended("message");
    let message = |index: usize| {
        pod["status"]["containerStatuses"][index]["state"]["terminated"]["message"].as_str().unwrap_or_default()
    };
    assert_eq!([message(0), message(1).trim_end(), message(2)], ["from-the-file", "from the log", ""], "{pod:#}");
}
