use super::*;

#[test]
fn a_log_in_a_pipe_has_no_colours_also_when_one_is_cut_in_two() {
    let (mut output, out, _) = pages(Format::Default, false);
    output.log("\u{1b}[92mINFO\u{1b}[0m: a\n\u{1b}[9").unwrap();
    output.log("1mWARN\u{1b}[0m: ä\n").unwrap();
    assert_eq!(out.text(), "INFO: a\nWARN: ä\n");
    let (mut output, out, _) = pages(Format::Default, true);
    output.colours = true;
    output.filter = LogFilter::new(true);
    output.log("\u{1b}[92mINFO\u{1b}[0m\n").unwrap();
    assert_eq!(out.text(), "\u{1b}[92mINFO\u{1b}[0m\n");
}

#[test]
fn on_a_terminal_a_log_has_colours_and_gives_no_orders() {
    let (mut output, out, err) = pages(Format::Default, true);
    output.colours = true;
    output.filter = LogFilter::new(true);
    output
        .log("\u{1b}]0;title\u{7}\u{1b}[2J\u{1b}[31mred\u{1b}[0m\n\u{1b}[")
        .unwrap();
    output.log("1;1Hhome\n\u{1b}[8mhidden\n").unwrap();
    assert_eq!(
        out.text(),
        "\u{1b}[31mred\u{1b}[0m\nhome\n\u{1b}[8mhidden\n"
    );
    output.warn("seen");
    assert!(out.text().ends_with("hidden\n\u{1b}[0m"));
    assert_eq!(err.text(), "warning: seen\n");
}

#[test]
fn a_log_line_of_a_megabyte_is_shown_whole() {
    let line = "é\u{fffd}".repeat(200_000);
    for terminal in [false, true] {
        let (mut output, out, _) = pages(Format::Default, terminal);
        output.colours = terminal;
        output.filter = LogFilter::new(terminal);
        output.log(&line).unwrap();
        output.log("\n").unwrap();
        assert!(out.text() == format!("{line}\n"));
    }
}
