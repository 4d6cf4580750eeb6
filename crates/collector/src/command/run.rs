//! The command: arguments in, exit code out.

use std::ffi::OsString;
use std::io::{self, Write as _};

use clap::Parser;
use clap::error::ErrorKind;
use phanos_delivery::LogLevel;
use tokio::runtime::Builder;

use crate::command::arguments::{CollectArguments, Command, Verb};
use crate::command::collect::Collector;
use crate::command::settings::CollectSettings;
use crate::command::signals::{Signals, Wish};
use crate::command::top::top;
use crate::hub::log::Log;

/// Exit codes: done, could not be done, wrong arguments.
const DONE: u8 = 0;
const FAILED: u8 = 1;
const WRONG: u8 = 2;

/// Runs `phanos` with its arguments, the first of which is its name; returns the exit code.
pub fn run(arguments: impl IntoIterator<Item = OsString>) -> u8 {
    let arguments: Vec<OsString> = arguments.into_iter().collect();
    let verb = if arguments.get(1).is_some_and(|verb| verb == "top") { "top" } else { "collect" };
    let command = match Command::try_parse_from(arguments) {
        Ok(command) => command,
        Err(error)
            if matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion) =>
        {
            let _ = error.print();
            return DONE;
        }
        Err(error) if error.kind() == ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => {
            let _ = error.print();
            return WRONG;
        }
        Err(error) => {
            let text = error.to_string();
            // What follows is the usage, which --help shows.
            let line = text.lines().next().unwrap_or_default();
            return wrong(verb, line.trim_start_matches("error: "));
        }
    };
    let given = match command.verb {
        Verb::Collect(given) => given,
        Verb::Top(given) => {
            return match top(&given) {
                Ok(()) => DONE,
                Err(error) => {
                    let _ = writeln!(io::stderr(), "phanos top: error: {error}");
                    FAILED
                }
            };
        }
    };
    match CollectSettings::new((*given).clone()) {
        Err(error) => wrong(verb, &error),
        Ok(settings) if given.check => {
            let _ = io::stdout().write_all(settings.show().as_bytes());
            DONE
        }
        Ok(settings) => collect(&given, &settings),
    }
}

fn wrong(verb: &str, line: &str) -> u8 {
    let _ = writeln!(io::stderr(), "phanos {verb}: error: {line}");
    WRONG
}

/// Writes a line that is not part of what was asked for.
fn say(line: &str) {
    // The terminal may be gone.
    let _ = writeln!(io::stderr(), "phanos collect: {line}");
}

fn log(level: LogLevel, text: &str) {
    match level {
        LogLevel::Info => say(text),
        LogLevel::Warning => say(&format!("warning: {text}")),
    }
}

fn collect(given: &CollectArguments, settings: &CollectSettings) -> u8 {
    let runtime =
        Builder::new_multi_thread().worker_threads(2).thread_name("phanos").enable_all().build();
    let runtime = match runtime {
        Ok(runtime) => runtime,
        Err(error) => {
            say(&format!("error: {error}"));
            return FAILED;
        }
    };
    let code = runtime.block_on(async {
        // Before anything says that it is there: from then on signals may come.
        let mut signals = match Signals::new() {
            Ok(signals) => signals,
            Err(error) => return failed(&error.to_string()),
        };
        let collector = match Collector::start(settings, Log::new(log)) {
            Ok(collector) => collector,
            Err(error) => return failed(&error),
        };
        say(&settings.url());
        if let Some(text) = settings.exposure() {
            log(LogLevel::Warning, &text);
        }
        while signals.next().await == Wish::Reload {
            reload(given, settings, &collector);
        }
        if collector.stop().await { DONE } else { failed("the last changes could not be stored") }
    });
    runtime.shutdown_background();
    code
}

fn failed(line: &str) -> u8 {
    say(&format!("error: {line}"));
    FAILED
}

/// Reads the files again: certificates, options of metrics and limits hold from now on, the rest
/// from the next start on.
fn reload(given: &CollectArguments, running: &CollectSettings, collector: &Collector) {
    match CollectSettings::new(given.clone()) {
        Ok(settings) => {
            if let (Some(old), Some(new)) = (&running.tls, &settings.tls) {
                old.replace_by(new);
            }
            collector.hub().set_options(settings.options);
            say(
                "read the configuration again: limits, times, options of metrics and certificates \
                 are in force",
            );
        }
        Err(error) => say(&format!("warning: the configuration stays as it was: {error}")),
    }
}
