//! Lines on a terminal, and keys: those of `htop` where there are such.

use std::fmt::Write as _;
use std::io::{self, Write as _};
use std::time::{Duration, Instant};

use crossterm::event::{self, Event, KeyCode, KeyEvent, KeyEventKind, KeyModifiers};
use crossterm::{cursor, execute, terminal};

use crate::top::rows::{Sort, Table};
use crate::top::source::Source;
use crate::top::text::Layout;
use crate::tree::look::Asked;
use crate::tree::window::Window;

const REFRESH: Duration = Duration::from_secs(1);
/// Lines above the rows, and below them.
const HEAD: usize = 3;
const FOOT: usize = 1;
const WINDOWS_S: [u64; 4] = [60, 300, 900, 3600];
const KEYS: &str =
    "q quit  </> sort  t tree  / search  w window  j job  p pause  arrows, page keys";

const REVERSE: &str = "\x1b[7m";
const BOLD: &str = "\x1b[1m";
const RED: &str = "\x1b[31m";
const PLAIN: &str = "\x1b[0m";

/// What is to be seen.
#[derive(Clone, Debug)]
pub(crate) struct View {
    pub(crate) asked: Asked,
    pub(crate) sort: Sort,
    pub(crate) is_tree: bool,
    pub(crate) search: String,
}

impl View {
    /// The rows as they are to be seen.
    pub(crate) fn arrange(&self, table: &Table) -> Table {
        let mut table = table.clone();
        if !self.search.is_empty() {
            table.search(&self.search);
        }
        table.sort(self.sort);
        if self.is_tree {
            table.as_tree();
        }
        table
    }
}

struct Screen<'a> {
    source: &'a Source,
    view: View,
    newest: Table,
    complaint: Option<String>,
    shown: Table,
    selected: usize,
    first: usize,
    is_typing: bool,
    is_paused: bool,
}

/// The terminal as it was, whatever ends this.
struct Restored;

impl Restored {
    fn new() -> io::Result<Self> {
        terminal::enable_raw_mode()?;
        let restored = Self;
        execute!(io::stdout(), terminal::EnterAlternateScreen, cursor::Hide)?;
        Ok(restored)
    }
}

impl Drop for Restored {
    fn drop(&mut self) {
        let _ = execute!(io::stdout(), cursor::Show, terminal::LeaveAlternateScreen);
        let _ = terminal::disable_raw_mode();
    }
}

/// Shows rows until the user quits.
///
/// # Errors
/// The terminal cannot be written to, or is none.
pub(crate) fn show(source: &Source, view: View) -> io::Result<()> {
    let _restored = Restored::new()?;
    let mut screen = Screen {
        source,
        view,
        newest: Table::default(),
        complaint: None,
        shown: Table::default(),
        selected: 0,
        first: 0,
        is_typing: false,
        is_paused: false,
    };
    loop {
        screen.refresh();
        let due = Instant::now() + REFRESH;
        loop {
            screen.draw()?;
            let left = due.saturating_duration_since(Instant::now());
            if left.is_zero() || !event::poll(left)? {
                break;
            }
            match event::read()? {
                Event::Key(key) if key.kind != KeyEventKind::Release => match screen.press(key) {
                    Pressed::Quit => return Ok(()),
                    Pressed::Other => break,
                    Pressed::Same => {}
                },
                _ => {}
            }
        }
    }
}

/// What a key asks for.
enum Pressed {
    Quit,
    /// Other numbers.
    Other,
    Same,
}

impl Screen<'_> {
    fn refresh(&mut self) {
        if !self.is_paused {
            match self.source.ask(&self.view.asked).and_then(|json| Table::read(&json)) {
                Ok(table) => {
                    self.newest = table;
                    self.complaint = self.source.complaint().map(str::to_owned);
                }
                Err(error) => self.complaint = Some(error),
            }
        }
        self.arrange();
    }

    /// Rows in their order; the selected path stays selected.
    fn arrange(&mut self) {
        let path = self.shown.rows.get(self.selected).map(|row| row.path.clone());
        self.shown = self.view.arrange(&self.newest);
        let place = path.and_then(|path| self.shown.rows.iter().position(|row| row.path == path));
        self.select(place.unwrap_or(self.selected));
    }

    fn select(&mut self, place: usize) {
        self.selected = place.min(self.shown.rows.len().saturating_sub(1));
        let page = page();
        self.first = self.first.min(self.selected).max((self.selected + 1).saturating_sub(page));
    }

    fn press(&mut self, key: KeyEvent) -> Pressed {
        if key.modifiers.contains(KeyModifiers::CONTROL) {
            return if key.code == KeyCode::Char('c') { Pressed::Quit } else { Pressed::Same };
        }
        if self.is_typing {
            match key.code {
                KeyCode::Enter => self.is_typing = false,
                KeyCode::Esc => {
                    self.is_typing = false;
                    self.view.search.clear();
                }
                KeyCode::Backspace => {
                    self.view.search.pop();
                }
                KeyCode::Char(character) => self.view.search.push(character),
                _ => {}
            }
            self.arrange();
            return Pressed::Same;
        }
        let page = page();
        match key.code {
            KeyCode::Char('q') | KeyCode::F(10) => return Pressed::Quit,
            KeyCode::Up | KeyCode::Char('k') => self.select(self.selected.saturating_sub(1)),
            KeyCode::Down => self.select(self.selected + 1),
            KeyCode::PageUp => self.select(self.selected.saturating_sub(page)),
            KeyCode::PageDown => self.select(self.selected + page),
            KeyCode::Home => self.select(0),
            KeyCode::End => self.select(usize::MAX),
            KeyCode::Char('>' | '.') | KeyCode::F(6) => self.sort(Sort::next),
            KeyCode::Char('<' | ',') => {
                self.sort(|sort| {
                    let all = Sort::ALL.map(|(_, sort)| sort);
                    all.into_iter().find(|other| other.next() == sort).unwrap_or(sort)
                });
            }
            KeyCode::Char('t') | KeyCode::F(5) => {
                self.view.is_tree = !self.view.is_tree;
                self.arrange();
            }
            KeyCode::Char('/') | KeyCode::F(3 | 4) => self.is_typing = true,
            KeyCode::Esc => {
                self.view.search.clear();
                self.arrange();
            }
            KeyCode::Char('p') => {
                self.is_paused = !self.is_paused;
                return Pressed::Other;
            }
            KeyCode::Char('w') => {
                let current = match self.view.asked.window {
                    Window::Last { length_ms, ago_ms: 0 } => length_ms / 1000,
                    _ => 0,
                };
                let next = WINDOWS_S.iter().find(|seconds| **seconds > current);
                let length_ms = next.unwrap_or(&WINDOWS_S[0]) * 1000;
                self.view.asked.window = Window::Last { length_ms, ago_ms: 0 };
                return Pressed::Other;
            }
            KeyCode::Char('j') => {
                let jobs = &self.newest.jobs;
                let place = jobs.iter().position(|job| *job == self.newest.job).unwrap_or(0);
                self.view.asked.job = jobs.get((place + 1) % jobs.len().max(1)).cloned();
                return Pressed::Other;
            }
            _ => {}
        }
        Pressed::Same
    }

    fn sort(&mut self, change: impl Fn(Sort) -> Sort) {
        self.view.sort = change(self.view.sort);
        self.arrange();
        self.select(0);
    }

    fn draw(&self) -> io::Result<()> {
        let (width, height) = terminal::size()?;
        let (width, page) = (usize::from(width), page());
        let layout = Layout::new(width);
        let mut out = String::from("\x1b[H");
        let mut line = |style: &str, text: &str| {
            let text: String = text.chars().take(width).collect();
            let _ = write!(out, "{style}{text}{PLAIN}\x1b[K\r\n");
        };
        line(BOLD, &headline(&self.newest, &self.view, self.is_paused));
        match &self.complaint {
            Some(complaint) => line(RED, complaint),
            None => line("", &notice(&self.newest)),
        }
        line(REVERSE, &layout.head(self.view.sort));
        let rows = self.shown.rows.iter().enumerate().skip(self.first).take(page);
        let mut drawn = 0;
        for (place, row) in rows {
            let style = if place == self.selected {
                REVERSE
            } else if row.errors > 0.0 {
                RED
            } else {
                ""
            };
            line(style, &layout.row(row, &self.shown, self.view.is_tree));
            drawn += 1;
        }
        for _ in drawn..page {
            line("", "");
        }
        let foot = if self.is_typing {
            format!("search: {}_  (Enter keeps it, Escape leaves it)", self.view.search)
        } else {
            KEYS.to_owned()
        };
        let foot: String = foot.chars().take(width).collect();
        let _ = write!(out, "\x1b[{height};1H{foot}\x1b[K");
        let mut terminal = io::stdout().lock();
        terminal.write_all(out.as_bytes())?;
        terminal.flush()
    }
}

/// Rows that fit.
fn page() -> usize {
    let (_, height) = terminal::size().unwrap_or((80, 24));
    usize::from(height).saturating_sub(HEAD + FOOT).max(1)
}

pub(crate) fn headline(table: &Table, view: &View, is_paused: bool) -> String {
    // The sum of no floats at all is -0.
    let calls = table.rows.iter().fold(0.0, |sum, row| sum + row.calls);
    let mut line = format!(
        "phanos top  job {}  window {}  {:.0} calls/s  {} worker{}",
        if table.job.is_empty() { "-" } else { &table.job },
        view.asked.window,
        calls / table.seconds.max(0.001),
        table.workers,
        if table.workers == 1 { "" } else { "s" },
    );
    if !view.search.is_empty() {
        let _ = write!(line, "  search {:?}", view.search);
    }
    if is_paused {
        line.push_str("  PAUSED");
    }
    line
}

fn notice(table: &Table) -> String {
    if let Some(unready) = &table.unready {
        return format!("not ready: {unready}");
    }
    if table.overflowed > 0 {
        return "the limit of series is reached: further paths are in (overflow)".into();
    }
    if table.rows.is_empty() { "no calls in this window".into() } else { String::new() }
}
