//! `crm_mon -1`.
use crate::check::{Told, over};
use crate::{Before, Fact, Facts, Finding, Status};

pub(crate) fn check(facts: &Facts, _: &Before) -> Told {
    over(&facts.cluster, |text| {
        if !text.contains("Cluster Summary") && !text.contains("Current DC") {
            return Fact::Unknown("the output of crm_mon makes no sense".to_owned());
        }
        let remedy = "esos cluster status; crm_mon -1rf";
        let mut found = Vec::new();
        let mut add = |object: &str, kind: &str, status, text: &str| {
            found.push(Finding::new("cluster", object, kind, status, text, remedy));
        };
        if text.contains("partition WITHOUT quorum") {
            add("quorum", "lost", Status::Crit, "this partition has no quorum");
        }
        let mut failed = false;
        for line in text.lines().map(|l| l.trim().trim_start_matches("* ")) {
            if line.starts_with("Failed Resource Actions") || line.starts_with("Failed Fencing Actions") {
                failed = true;
            } else if failed && !line.is_empty() {
                let object = line.split_whitespace().next().unwrap_or("resource");
                add(object, "failed", Status::Warn, line);
            } else if let Some(rest) = line.strip_prefix("OFFLINE:") {
                let names = rest.trim().trim_matches(['[', ']', ' ']);
                names.split_whitespace().for_each(|n| add(n, "offline", Status::Crit, "the node is offline"));
            } else if let Some(name) = line.strip_prefix("Node ").filter(|_| line.contains("UNCLEAN")) {
                let name = name.split([':', ' ']).next().unwrap_or("node");
                add(name, "unclean", Status::Crit, "the node is unclean: it could not be fenced");
            }
        }
        Fact::Known(found)
    })
}
