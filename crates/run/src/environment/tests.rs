use super::*;

fn template(text: &str) -> Template {
    text.parse().unwrap()
}

#[test]
fn an_unknown_name_is_told_with_its_place() {
    let error = expand(&template("x${C}"), &Variables::default(), || {
        "argument 2".to_owned()
    });
    let text = error.unwrap_err().to_string();
    assert_eq!(
        text,
        "argument 2 refers to ${C}, and there is no variable C"
    );
}

fn written(directory: &tempfile::TempDir, name: &str, text: &str) -> EnvironmentFile {
    let path = directory.path().join(name);
    std::fs::write(&path, text).unwrap();
    path.as_path().into()
}

/// WD-134.
#[test]
fn wd_134_later_layers_win_and_refer_to_earlier_ones() {
    let directory = tempfile::tempdir().unwrap();
    let files = [
        written(&directory, "one", "A=one\nB=one\nC=one"),
        written(&directory, "other", "B=other"),
    ];
    let set = [("C", "set ${A} ${C}"), ("P", "/opt:${P}"), ("Z", "${B}")];
    let set = set.map(|(name, text)| (name.to_owned(), template(text)));
    let inherited = [("A", "own"), ("P", "/bin"), ("Q", "q")]
        .into_iter()
        .collect();
    let variables = load(&files, &set, inherited).unwrap();
    let expected: Variables = [
        ("A", "one"),
        ("B", "other"),
        ("C", "set one one"),
        ("P", "/opt:/bin"),
        ("Q", "q"),
        ("Z", "other"),
    ]
    .into_iter()
    .collect();
    assert_eq!(variables, expected);
}

/// Else the order in which they are written would count, and there could be circles.
#[test]
fn values_of_the_definition_do_not_see_each_other() {
    let set = [("A", "1"), ("B", "${A}")].map(|(name, text)| (name.to_owned(), template(text)));
    let error = load(&[], &set, Variables::default()).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the variable B refers to ${A}, and there is no variable A"
    );
}

#[test]
fn only_an_optional_file_may_be_missing_and_none_may_be_wrong() {
    let directory = tempfile::tempdir().unwrap();
    let mut file = EnvironmentFile::from(directory.path().join("none").as_path());
    let error = load(&[file.clone()], &[], Variables::default())
        .unwrap_err()
        .to_string();
    assert!(
        error.starts_with("cannot read the environment file "),
        "{error}"
    );
    file.optional = true;
    load(&[file], &[], Variables::default()).unwrap();

    let mut file = written(&directory, "wrong", "A=1\nB");
    file.optional = true;
    let error = load(&[file.clone()], &[], Variables::default())
        .unwrap_err()
        .to_string();
    assert_eq!(
        error,
        format!("{}:2:2: there is no `=` in this line", file.path.display())
    );
}

#[test]
fn the_case_of_names_counts_where_the_system_says_so() {
    let mut variables: Variables = [("Path", "1"), ("PATH", "2")].into_iter().collect();
    assert_eq!(variables.get("PATH"), Some(OsStr::new("2")));
    let found = variables.get("path").is_some();
    assert_eq!(found, VARIABLES_IGNORE_CASE);
    variables.remove("PATH");
    assert_eq!(
        variables.into_iter().count(),
        usize::from(!VARIABLES_IGNORE_CASE)
    );
}
