//! `esos-conf diff`.
use crate::case::{Case, id, told};
use esos_cli::{Exit, Failure, Ui};
use esos_confsync::{
    BoxPath, Change, ChangeKind, Id, NodeKind, Snapshot, Store, changes, observe, text_diff,
};
use serde::Serialize;
use std::collections::BTreeMap;
use std::path::Path;

/// A text that is longer is not shown line by line.
const LONGEST: u64 = 1 << 20;

#[derive(Serialize)]
struct Row {
    #[serde(flatten)]
    change: Change,
    /// A unified diff; none where the content is not text, or is nobody's business.
    #[serde(skip_serializing_if = "Option::is_none")]
    diff: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    note: Option<&'static str>,
}

/// Where contents come from.
struct Contents<'s> {
    store: &'s Store<'s>,
    live: BTreeMap<Id, Vec<u8>>,
}

impl Contents<'_> {
    fn get(&self, snapshot: &Snapshot, path: &BoxPath) -> Option<Vec<u8>> {
        match &snapshot.get(path)?.kind {
            NodeKind::File { chunks, len, .. } if *len <= LONGEST => {
                let piece = |id: &Id| self.live.get(id).cloned().or_else(|| self.store.content(&[*id]).ok());
                Some(chunks.iter().map(piece).collect::<Option<Vec<_>>>()?.concat())
            }
            NodeKind::Link(target) => Some([target.as_slice(), b"\n"].concat()),
            _ => None,
        }
    }
}

pub(crate) fn run(store: Option<&Path>, what: &[String], ui: &mut Ui) -> Result<Exit, Failure> {
    let case = Case::open(store, false, ui)?;
    let store = case.store()?;
    let (mut ids, mut paths) = (Vec::new(), Vec::new());
    for word in what {
        match id(word) {
            Some(id) => ids.push(id?),
            None => paths.push(path(word)?),
        }
    }
    if ids.len() > 2 {
        return Err(Failure::new(Exit::Usage, "two generations can be compared, not more"));
    }
    let snapshot = |id: u64| store.snapshot(store.generation(id)?);
    let newest = store.generations().next_back().map_or(0, |g| g.id);
    let from = snapshot(ids.first().copied().unwrap_or(newest)).map_err(told)?;
    let mut live = BTreeMap::new();
    let to = match ids.get(1) {
        Some(id) => snapshot(*id).map_err(told)?,
        None => {
            let mut keep = |id: Id, piece: &[u8]| {
                if live.len() < 4096 && !store.content(&[id]).is_ok_and(|b| b == piece) {
                    live.insert(id, piece.to_vec());
                }
                Ok(())
            };
            observe(&case.tree, &case.tracked, &mut keep)?.0
        }
    };
    let contents = Contents { store: &store, live };
    let wanted = |change: &Change| paths.is_empty() || paths.iter().any(|p| change.path.is_below(p));
    let rows: Vec<Row> =
        changes(&from, &to).into_iter().filter(wanted).map(|c| row(c, &from, &to, &contents)).collect();
    ui.emit("esos.conf.diff/1", &rows, |human| {
        for row in &rows {
            human.line(row.change.to_string());
            row.diff
                .iter()
                .flat_map(|d| d.lines().skip(2))
                .for_each(|line| human.line(format!("    {line}")));
            row.note.iter().for_each(|note| human.line(format!("    ({note})")));
        }
    })?;
    Ok(if rows.is_empty() { Exit::Done } else { Exit::Differs })
}

pub(crate) fn path(word: &str) -> Result<BoxPath, Failure> {
    let path = BoxPath::new(word).filter(|_| word.starts_with('/'));
    path.ok_or_else(|| Failure::new(Exit::Usage, format!("`{word}` is neither @ID nor an absolute path")))
}

fn row(change: Change, from: &Snapshot, to: &Snapshot, contents: &Contents<'_>) -> Row {
    // What others may not read is not shown: passwords, keys, CHAP.
    let private = [from, to].iter().any(|s| s.get(&change.path).is_some_and(esos_confsync::Node::is_private));
    if private {
        return Row {
            change,
            diff: None,
            note: Some("its content is not shown: only its owner may read it"),
        };
    }
    if change.kind == ChangeKind::Meta {
        return Row { change, diff: None, note: Some("mode or owner") };
    }
    let side = |s: &Snapshot| match s.get(&change.path) {
        None => Some(Vec::new()),
        Some(_) => contents.get(s, &change.path),
    };
    let diff = side(from).zip(side(to)).and_then(|(a, b)| text_diff(&a, &b));
    let note = diff.is_none().then_some("no text, or too long");
    Row { change, diff, note }
}
