//! What to say when.
use crate::Identity;
use esos_layout::stick_state::{Presence, StickState};
use std::collections::BTreeMap;

/// A medium with ESOS's labels that is there now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Medium {
    /// Its node, `/dev/sdb`.
    pub device: String,
    /// What it is.
    pub identity: Identity,
    /// Whether it can be read, or what happens when one tries.
    pub readable: Result<(), String>,
}

/// How loud a notice is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Urgency {
    /// Good news.
    Notice,
    /// Somebody should act.
    Critical,
}

/// One line for the console and the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notice {
    /// How loud.
    pub urgency: Urgency,
    /// The line.
    pub text: String,
}

/// Watches one stick.
#[derive(Debug, Clone)]
pub struct Watcher {
    booted: Identity,
    /// `/usr` lies on it.
    usr: bool,
    /// The node that `/usr` was mounted from: another medium does not get its name while it is.
    home: Option<String>,
    state: StickState,
    refused: BTreeMap<String, String>,
}

impl Watcher {
    /// For the stick that was booted. Until the first look it counts as gone since 0.
    #[must_use]
    pub fn new(booted: Identity) -> Self {
        let state = StickState {
            schema: StickState::SCHEMA.to_owned(),
            state: Presence::Other("starting".to_owned()),
            device: None,
            since: None,
            message: "the stick has not been looked for yet".to_owned(),
            restart: false,
        };
        Self { booted, usr: false, home: None, state, refused: BTreeMap::new() }
    }

    /// The same where `/usr` lies on the stick (`esos_persist`): one that was pulled comes back as another disk, which
    /// does not carry what is mounted. `lost`: that has happened already.
    #[must_use]
    pub fn that_holds_usr(booted: Identity, lost: bool) -> Self {
        let mut watcher = Self { usr: true, ..Self::new(booted) };
        watcher.state.restart = lost;
        watcher
    }

    /// The document for `/run/esos/stick.json`.
    #[must_use]
    pub fn state(&self) -> &StickState {
        &self.state
    }

    /// Takes in what is there at `now` (seconds since 1970), and says what changed.
    pub fn look(&mut self, now: u64, media: &[Medium]) -> Vec<Notice> {
        let mut notices = Vec::new();
        let same = |m: &&Medium| self.booted.difference(&m.identity).is_none();
        // Of two copies of one stick, the one that was taken stays the one.
        let taken = |m: &&&Medium| self.state.device.as_deref() == Some(&m.device);
        let all_good: Vec<&Medium> = media.iter().filter(|m| same(m) && m.readable.is_ok()).collect();
        let good = all_good.iter().find(taken).or_else(|| all_good.first()).copied();
        let sick = media.iter().find(|m| same(m) && m.readable.is_err());
        // What cannot be read at all has no identity to compare: it says nothing about another stick.
        let others: Vec<(&Medium, String)> = media
            .iter()
            .filter(|m| m.readable.is_ok())
            .filter_map(|m| Some((m, self.booted.difference(&m.identity)?)))
            .collect();
        self.refused.retain(|device, _| others.iter().any(|(m, _)| m.device == *device));
        for (other, why) in &others {
            if self.refused.get(&other.device) != Some(why) {
                self.refused.insert(other.device.clone(), why.clone());
                notices.push(Notice {
                    urgency: Urgency::Critical,
                    text: format!(
                        "another stick with ESOS's labels, {} ({}) is refused: {why}; put back the one that \
                         was booted ({}), or boot from this one",
                        other.device, other.identity, self.booted
                    ),
                });
            }
        }
        let was = self.state.state.clone();
        if self.usr {
            self.home = self.home.take().or_else(|| good.map(|medium| medium.device.clone()));
            self.state.restart |=
                self.home.as_ref().is_some_and(|home| media.iter().all(|m| m.device != *home));
        }
        match (good, sick, others.first()) {
            (Some(medium), _, _) => {
                if was != Presence::Present || self.state.device.as_deref() != Some(&medium.device) {
                    let first = matches!(was, Presence::Other(_));
                    let text = if first {
                        format!("booted from {} ({})", medium.device, medium.identity)
                    } else {
                        let then = if self.state.restart {
                            "; what of /usr is not in memory cannot be had before the box is restarted"
                        } else {
                            ""
                        };
                        format!(
                            "the stick is back as {} ({}) and is used again{then}",
                            medium.device, medium.identity
                        )
                    };
                    self.set(Presence::Present, Some(&medium.device), now, &text);
                    notices.push(Notice { urgency: Urgency::Notice, text });
                }
                self.booted.learn(&medium.identity);
            }
            (None, sick, other) => {
                if was == Presence::Present || matches!(was, Presence::Other(_)) {
                    let device = self.state.device.clone().map(|d| format!("{d} ")).unwrap_or_default();
                    let how = match sick.and_then(|m| m.readable.as_ref().err()) {
                        Some(error) => format!("cannot be read ({error})"),
                        None if matches!(was, Presence::Other(_)) => {
                            "that was booted is not there".to_owned()
                        }
                        None => "was pulled or died".to_owned(),
                    };
                    let then =
                        if self.usr { ", and what of /usr is not in memory cannot be had" } else { "" };
                    let text = format!(
                        "the stick {device}({}) {how}; the box goes on from memory, but configuration and logs are not \
                         saved until it is back{then}",
                        self.booted
                    );
                    self.set(Presence::Gone, None, now, &text);
                    notices.insert(0, Notice { urgency: Urgency::Critical, text });
                }
                match other {
                    Some((medium, why)) if self.state.state != Presence::Refused => {
                        let text = format!(
                            "the stick ({}) is gone, and {} ({}) is another one: {why}",
                            self.booted, medium.device, medium.identity
                        );
                        self.set(Presence::Refused, Some(&medium.device), now, &text);
                    }
                    None if self.state.state == Presence::Refused => {
                        let text = format!("the stick ({}) is gone; put it back", self.booted);
                        self.set(Presence::Gone, None, now, &text);
                    }
                    _ => {}
                }
            }
        }
        notices
    }

    fn set(&mut self, state: Presence, device: Option<&str>, now: u64, message: &str) {
        self.state.state = state;
        self.state.device = device.map(str::to_owned);
        self.state.since = Some(now);
        message.clone_into(&mut self.state.message);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn medium(device: &str, serial: &str) -> Medium {
        let identity =
            Identity { disk_guid: Some("g".into()), serial: Some(serial.into()), ..Identity::default() };
        Medium { device: device.into(), identity, readable: Ok(()) }
    }

    fn watcher() -> Watcher {
        Watcher::new(medium("", "A").identity)
    }

    #[test]
    fn every_change_is_said_once() {
        let mut w = watcher();
        assert_eq!(w.look(1, &[medium("/dev/sda", "A")]).len(), 1);
        assert!(w.look(2, &[medium("/dev/sda", "A")]).is_empty());
        let said = w.look(3, &[]);
        assert_eq!((said.len(), said[0].urgency), (1, Urgency::Critical));
        assert!(w.look(4, &[]).is_empty());
        assert_eq!((w.state().state.clone(), w.state().since), (Presence::Gone, Some(3)));
        assert_eq!(w.look(5, &[medium("/dev/sdb", "A")]).len(), 1);
        assert_eq!(w.state().device.as_deref(), Some("/dev/sdb"));
    }

    #[test]
    fn what_was_mounted_of_it_is_not_back_with_it() {
        let here = |device: &str| vec![medium(device, "A")];
        let sick = vec![Medium { readable: Err("EIO".into()), ..medium("/dev/sda", "A") }];
        // What is seen one after the other, and whether the box has to be restarted then.
        for (looks, restart) in [
            (vec![here("/dev/sda")], false),
            (vec![here("/dev/sda"), sick.clone()], false),
            (vec![here("/dev/sda"), sick.clone(), here("/dev/sda")], false),
            // It is there for a moment, and cannot be read.
            (vec![here("/dev/sda"), sick, vec![], here("/dev/sdb")], true),
            (vec![here("/dev/sda"), vec![]], true),
            (vec![here("/dev/sda"), vec![], here("/dev/sdb")], true),
            // Too quick to be missed.
            (vec![here("/dev/sda"), here("/dev/sdb")], true),
        ] {
            let mut w = Watcher::that_holds_usr(medium("", "A").identity, false);
            let mut other = watcher();
            for (now, look) in looks.iter().enumerate() {
                w.look(now as u64, look);
                other.look(now as u64, look);
            }
            assert_eq!(w.state().restart, restart, "{looks:?}");
            let back = w.state().state == Presence::Present;
            assert_eq!(
                w.state().message.contains("before the box is restarted"),
                restart && back,
                "{looks:?}"
            );
            assert!(!other.state().restart && !other.state().message.contains("/usr"), "{looks:?}");
        }
    }

    #[test]
    fn another_one_is_refused_beside_the_right_one_and_alone() {
        let mut w = watcher();
        w.look(1, &[medium("/dev/sda", "A")]);
        let said = w.look(2, &[medium("/dev/sda", "A"), medium("/dev/sdb", "B")]);
        assert!(said.len() == 1 && said[0].text.contains("/dev/sdb (serial B) is refused"));
        assert_eq!(w.state().state, Presence::Present);
        assert!(w.look(3, &[medium("/dev/sda", "A"), medium("/dev/sdb", "B")]).is_empty());
        w.look(4, &[medium("/dev/sdb", "B")]);
        assert_eq!(w.state().state, Presence::Refused);
        w.look(5, &[]);
        assert_eq!(w.state().state, Presence::Gone);
        // Plugged in again, it is named again.
        assert_eq!(w.look(6, &[medium("/dev/sdb", "B")]).len(), 1);
    }

    #[test]
    fn a_medium_that_dies_in_its_socket_is_gone() {
        let mut w = watcher();
        w.look(1, &[medium("/dev/sda", "A")]);
        let sick = Medium { readable: Err("EIO".into()), ..medium("/dev/sda", "A") };
        let said = w.look(2, &[sick]);
        assert!(said[0].text.starts_with("the stick /dev/sda (serial A) cannot be read (EIO)"), "{said:?}");
        assert_eq!(w.state().state, Presence::Gone);
    }

    #[test]
    fn an_identity_that_was_made_since_counts_from_then_on() {
        let mut w = watcher();
        let mut here = medium("/dev/sda", "A");
        here.identity.stick = Some("0123456789abcdef".into());
        w.look(1, &[here.clone()]);
        let mut twin = here.clone();
        twin.identity.stick = Some("fedcba9876543210".into());
        w.look(2, &[]);
        w.look(3, &[twin]);
        assert_eq!(w.state().state, Presence::Refused);
        w.look(4, &[here]);
        assert_eq!(w.state().state, Presence::Present);
    }

    proptest! {
        /// Whatever happens: present means that the right one is there and can be read, and nothing else does.
        #[test]
        fn present_is_the_truth(steps in proptest::collection::vec(proptest::collection::vec((0u8..3, 0u8..3, any::<bool>()), 0..3), 1..20)) {
            let mut w = watcher();
            for (now, step) in steps.iter().enumerate() {
                let mut step = step.clone();
                step.sort();
                step.dedup_by_key(|m| m.0);
                let media: Vec<Medium> = step
                    .iter()
                    .map(|(dev, serial, ok)| Medium {
                        readable: if *ok { Ok(()) } else { Err("EIO".into()) },
                        ..medium(&format!("/dev/sd{dev}"), ["A", "B", "C"][usize::from(*serial)])
                    })
                    .collect();
                w.look(now as u64, &media);
                let there = media.iter().any(|m| m.identity.serial.as_deref() == Some("A") && m.readable.is_ok());
                prop_assert_eq!(w.state().state == Presence::Present, there);
                prop_assert!(w.look(now as u64, &media).is_empty(), "the same again is no news");
            }
        }
    }
}
