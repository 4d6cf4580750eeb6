//! `phanos top`: what it shows, once or live.

use std::io::{self, IsTerminal as _, Write as _};

use phanos_delivery::TlsFiles;

use crate::amqp::settings::broker;
use crate::command::arguments::TopArguments;
use crate::command::settings::{PORT, token};
use crate::top::client::Client;
use crate::top::rows::Table;
use crate::top::screen::{View, headline, show};
use crate::top::source::Source;
use crate::top::text::Layout;
use crate::tree::look::Asked;

/// Where there is no terminal that would have a width.
const WIDTH: usize = 140;

/// # Errors
/// One line: what was given and what was expected, or what is in the way.
pub(crate) fn top(given: &TopArguments) -> Result<(), String> {
    let source = source(given)?;
    let view = View {
        asked: Asked { job: given.job.clone(), window: given.window, compare: None },
        sort: given.sort,
        is_tree: given.tree,
        search: given.search.clone(),
    };
    if given.once {
        return once(&source, &view, given.lines);
    }
    if !io::stdout().is_terminal() || !io::stdin().is_terminal() {
        return Err("this is no terminal: --once prints the table".into());
    }
    show(&source, view).map_err(|error| error.to_string())
}

fn source(given: &TopArguments) -> Result<Source, String> {
    if let Some(url) = &given.amqp_url {
        if given.once {
            return Err("--once needs a collector: a broker has no past".into());
        }
        let exchange = given.exchange.as_deref().unwrap_or("profiling");
        let exchange_type = given.exchange_type.as_deref().unwrap_or("fanout");
        let broker = broker(url, exchange, exchange_type, &TlsFiles::default())?;
        return Source::broker(broker).map_err(|error| error.to_string());
    }
    let token = given.token_file.as_deref().map(token).transpose()?;
    Ok(Source::Collector(Client::new(&given.url, PORT, token)?))
}

fn once(source: &Source, view: &View, lines: Option<usize>) -> Result<(), String> {
    let table = Table::read(&source.ask(&view.asked)?)?;
    let table = view.arrange(&table);
    let width = crossterm::terminal::size().map_or(WIDTH, |(width, _)| usize::from(width));
    let width = if io::stdout().is_terminal() { width } else { WIDTH };
    let layout = Layout::new(width);
    let mut out = format!("{}\n{}\n", headline(&table, view, false), layout.head(view.sort));
    for row in table.rows.iter().take(lines.unwrap_or(usize::MAX)) {
        out.push_str(layout.row(row, &table, view.is_tree).trim_end());
        out.push('\n');
    }
    // The reader of a pipe may have enough.
    let _ = io::stdout().write_all(out.as_bytes());
    Ok(())
}
