//! `corosync-quorumtool -s` and `corosync-cfgtool -s`, `-n`.
use esos_diag::ParseError;
use serde::Serialize;

/// What votequorum says on one node.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
#[non_exhaustive]
pub struct Quorum {
    /// Whether this partition may act.
    pub quorate: bool,
    /// Nodes that are seen.
    pub nodes: u32,
    /// This node's number.
    pub node_id: Option<u32>,
    /// Votes that there should be.
    pub expected: u32,
    /// Votes that there are.
    pub total: u32,
    /// Votes that are needed.
    pub needed: u32,
    /// `2Node`, `WaitForAll`, `Qdevice`, …
    pub flags: Vec<String>,
    /// Members that are seen, by number, with votes and name.
    pub members: Vec<(u32, u32, String)>,
}

/// Reads `corosync-quorumtool` (`-s`; without options it prints the same).
///
/// # Errors
/// A text without the line `Quorate:`, or a number that is none.
pub fn quorum(origin: &str, text: &str) -> Result<Quorum, ParseError> {
    let mut out = Quorum::default();
    let (mut quorate, mut list, mut offset) = (None, false, 0usize);
    for raw in text.split_inclusive('\n') {
        let start = offset;
        offset = offset.saturating_add(raw.len());
        let line = raw.trim_end();
        if list {
            let mut words = line.split_ascii_whitespace();
            let number = words.next().and_then(|w| w.trim_start_matches("0x").parse().ok());
            let votes = words.next().and_then(|w| w.parse().ok());
            if let (Some(id), Some(votes)) = (number, votes) {
                // With a qdevice a column stands between.
                let name = words.filter(|w| !w.contains(',')).collect::<Vec<_>>().join(" ");
                out.members.push((id, votes, name.trim_end_matches(" (local)").to_owned()));
            }
            continue;
        }
        list = line.trim_start().starts_with("Nodeid ");
        let Some((key, value)) = line.split_once(':') else { continue };
        let value = value.trim();
        let first = value.split(' ').next().unwrap_or("");
        let number = |what: &str| {
            first.parse::<u32>().map_err(|_not| {
                ParseError::at(
                    origin,
                    text,
                    start.saturating_add(key.len()).saturating_add(1),
                    what.to_owned(),
                )
            })
        };
        match key.trim() {
            "Quorate" => quorate = Some(value == "Yes"),
            "Nodes" => out.nodes = number("a number of nodes")?,
            "Node ID" => out.node_id = first.trim_start_matches("0x").parse().ok(),
            "Expected votes" => out.expected = number("a number of votes")?,
            "Total votes" => out.total = number("a number of votes")?,
            "Quorum" => out.needed = number("a number of votes")?,
            "Flags" => {
                out.flags =
                    value.split_ascii_whitespace().filter(|w| *w != "Quorate").map(str::to_owned).collect();
            }
            _ => {}
        }
    }
    out.quorate = quorate.ok_or_else(|| ParseError::truncated(origin, text, "`Quorate:`"))?;
    if out.quorate && out.total < out.needed {
        return Err(ParseError::at(
            origin,
            text,
            0,
            "as many votes as are needed where it says that it is quorate",
        ));
    }
    Ok(out)
}

/// One link to one node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Link {
    /// The link's number.
    pub link: u32,
    /// The node's number.
    pub node_id: u32,
    /// `connected`, `disconnected`, `localhost`, or more words.
    pub state: String,
}

/// Reads `corosync-cfgtool -s` or `-n`.
///
/// # Errors
/// A text without `Local node ID`.
pub fn links(origin: &str, text: &str) -> Result<Vec<Link>, ParseError> {
    if !text.starts_with("Local node ID") {
        return Err(ParseError::at(origin, text, 0, "`Local node ID`"));
    }
    let mut out = Vec::new();
    let (mut link, mut node) = (0u32, 0u32);
    for line in text.lines().map(str::trim) {
        let after = |prefix: &str| line.strip_prefix(prefix).map(str::trim);
        if let Some(rest) = after("LINK ID") {
            link = rest.split(' ').next().and_then(|n| n.parse().ok()).unwrap_or(0);
        } else if let Some(rest) = after("nodeid:") {
            match rest.split_once(':') {
                Some((id, state)) => {
                    let node_id = id.trim().parse().unwrap_or(0);
                    out.push(Link { link, node_id, state: state.trim().to_owned() });
                }
                None => node = rest.split(' ').next().and_then(|n| n.parse().ok()).unwrap_or(0),
            }
        } else if let Some(rest) = after("LINK:") {
            let number = rest.split(' ').next().and_then(|n| n.parse().ok()).unwrap_or(0);
            let state = rest.split_once(')').map_or(rest, |(_, s)| s.trim());
            out.push(Link { link: number, node_id: node, state: state.to_owned() });
        }
    }
    Ok(out)
}
