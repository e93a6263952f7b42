//! Boxes with SCST and DRBD, an adversarial cluster engine, and what must never be among them.
use esos_agent::{
    Device, Drbd, Facts, Flaw, Goal, Group, Next, Params, PortGroup, Stand, Step, Target, next_with, stand,
    timed_out, undo,
};
use esos_cluster::{OcfExit, OcfRequest};

#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Event {
    /// The engine begins an action, and it runs to its end.
    Run(usize, Want),
    /// The engine begins an action.
    Begin(usize, Want),
    /// The action does one step.
    Tick(usize),
    /// What is left of an action that was given up does one step.
    Ghost(usize),
    /// The agent's process is killed.
    KillAgent(usize),
    /// The engine gives an action up, but its process lives on.
    GiveUp(usize),
    /// The power of a box goes.
    PowerCut(usize),
    /// It comes back.
    Boot(usize),
    /// Two boxes no longer reach each other.
    Cut(usize, usize),
    /// They do again.
    Heal(usize, usize),
    /// The engine fences a lost box: it works, or it does not.
    Fence(usize, usize, bool),
    /// DRBD's own agent.
    DrbdPromote(usize),
    DrbdDemote(usize),
    Resync(usize),
    DiskFails(usize),
    /// An initiator's command starts or ends.
    Io(usize),
    IoEnds(usize),
    /// SCST loses its groups and gets them back.
    Reload(usize),
    Monitor(usize),
    /// Someone tells about another box's role.
    Told(usize, usize, bool),
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Want {
    Start,
    Stop,
    Promote,
    Demote,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Action {
    pub(crate) goal: Goal,
    pub(crate) ticks: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, PartialOrd)]
pub(crate) enum Disk {
    Inconsistent,
    Outdated,
    UpToDate,
}

#[derive(Debug, Clone)]
pub(crate) struct Machine {
    pub(crate) alive: bool,
    /// The handle on the backing device.
    pub(crate) open: bool,
    /// Ticks until a close that began has ended.
    pub(crate) closing: usize,
    pub(crate) blocks: u32,
    pub(crate) inflight: u32,
    pub(crate) local: String,
    pub(crate) remotes: Vec<String>,
    pub(crate) enabled: bool,
    pub(crate) primary: bool,
    pub(crate) disk: Disk,
    pub(crate) generation: u64,
    pub(crate) action: Option<Action>,
    pub(crate) ghost: Option<Action>,
    pub(crate) recorded: Stand,
    /// A demote or stop said that all is closed, and nobody asked for a promotion since.
    pub(crate) must_be_closed: bool,
}

pub(crate) struct World {
    pub(crate) boxes: Vec<Machine>,
    pub(crate) cut: Vec<Vec<bool>>,
    /// `clean[a][b]`: a knows that b is off.
    pub(crate) clean: Vec<Vec<bool>>,
    /// Both were Primary apart from each other, and no resync mended it.
    pub(crate) split: Vec<Vec<bool>>,
    /// Whether DRBD itself waits for fencing.
    pub(crate) drbd_fences: bool,
    pub(crate) flaw: Option<Flaw>,
    pub(crate) newest: u64,
}

pub(crate) fn params(n: usize, of: usize) -> Params {
    let list: Vec<String> = (0..of).filter(|i| *i != n).map(|i| format!("n{i}")).collect();
    let env = [
        ("OCF_RESKEY_device_group", "g".to_owned()),
        ("OCF_RESKEY_remote_tgt_grp", list.join(" ")),
        ("OCF_RESKEY_drbd_resource", "r0".to_owned()),
    ];
    let env = env.into_iter().map(|(k, v)| (k.to_owned(), v));
    Params::read(&OcfRequest::from_env(env), &format!("n{n}")).unwrap()
}

impl World {
    pub(crate) fn new(n: usize, drbd_fences: bool, flaw: Option<Flaw>) -> Self {
        let machine = Machine {
            alive: true,
            open: false,
            closing: 0,
            blocks: 0,
            inflight: 0,
            local: "standby".to_owned(),
            remotes: vec!["standby".to_owned(); n - 1],
            enabled: false,
            primary: false,
            disk: Disk::UpToDate,
            generation: 1,
            action: None,
            ghost: None,
            recorded: Stand::Unpromoted,
            must_be_closed: false,
        };
        Self {
            boxes: vec![machine; n],
            cut: vec![vec![false; n]; n],
            clean: vec![vec![false; n]; n],
            split: vec![vec![false; n]; n],
            drbd_fences,
            flaw,
            newest: 1,
        }
    }

    pub(crate) fn reaches(&self, a: usize, b: usize) -> bool {
        self.boxes[a].alive && self.boxes[b].alive && !self.cut[a][b]
    }

    /// Nodes that `b` lost and does not know to be off.
    pub(crate) fn unclean(&self, b: usize) -> Vec<usize> {
        (0..self.boxes.len()).filter(|c| *c != b && !self.reaches(b, *c) && !self.clean[b][*c]).collect()
    }

    pub(crate) fn quorum(&self, b: usize) -> bool {
        let n = self.boxes.len();
        n == 2 || 2 * (0..n).filter(|c| *c == b || self.reaches(b, *c)).count() > n
    }

    pub(crate) fn facts(&self, b: usize, ghost: bool) -> Facts {
        let m = &self.boxes[b];
        // Whoever did not wait for the close takes the device for closed.
        let active = m.open && m.closing == 0;
        let device = Device {
            name: "d".to_owned(),
            active,
            blocks: m.blocks,
            draining: m.blocks > 0 && m.inflight > 0,
            size: 1 << 20,
            ..Device::default()
        };
        let others = (0..self.boxes.len()).filter(|i| *i != b);
        let remotes = others
            .zip(&m.remotes)
            .map(|(i, s)| PortGroup { name: format!("n{i}"), state: s.clone() })
            .collect();
        let both = |c: usize| c != b && self.reaches(b, c) && (self.split[b][c] || self.boxes[c].primary);
        let diverged = (0..self.boxes.len()).any(both);
        let group = Group {
            devices: vec![device],
            local: Some(PortGroup { name: format!("n{b}"), state: m.local.clone() }),
            remotes,
            targets: vec![Target { path: "targets/iscsi/t".to_owned(), enabled: m.enabled }],
        };
        Facts {
            scst: true,
            group: Some(group),
            drbd: vec![Drbd {
                name: "r0".to_owned(),
                primary: m.primary,
                up_to_date: m.disk == Disk::UpToDate,
                diverged,
            }],
            unclean: self.unclean(b).into_iter().map(|i| format!("n{i}")).collect(),
            quorum: Some(self.quorum(b)),
            locked: !ghost && m.ghost.is_some(),
        }
    }

    pub(crate) fn params(&self, b: usize) -> Params {
        params(b, self.boxes.len())
    }

    pub(crate) fn begin(&mut self, b: usize, want: Want) {
        let m = &mut self.boxes[b];
        if !m.alive || m.action.is_some() {
            return;
        }
        let goal = match want {
            Want::Start => Goal::Start,
            Want::Stop => Goal::Stop,
            Want::Promote => Goal::Promote,
            Want::Demote => Goal::Demote,
        };
        if goal == Goal::Promote {
            m.must_be_closed = false;
        }
        m.action = Some(Action { goal, ticks: 0 });
    }

    pub(crate) fn tick(&mut self, b: usize, ghost: bool) -> Result<(), String> {
        let m = &mut self.boxes[b];
        let slot = if ghost { &mut m.ghost } else { &mut m.action };
        let Some(action) = slot.as_mut().filter(|_| m.alive) else { return Ok(()) };
        action.ticks += 1;
        let (goal, ticks) = (action.goal.clone(), action.ticks);
        if m.closing > 0 {
            m.closing -= 1;
            if m.closing == 0 {
                m.open = false;
            }
        }
        let facts = self.facts(b, ghost);
        let params = self.params(b);
        let mut next = next_with(&goal, &facts, &params, self.flaw);
        if let Next::Wait(what) = &next {
            if ticks <= 25 || self.flaw == Some(Flaw::WaitsForEver) {
                if ticks > 60 {
                    return Err("an action has no end".to_owned());
                }
                return Ok(());
            }
            next = timed_out(&goal, what);
        }
        if ticks > 60 {
            return Err(format!("an action has no end: {next:?}"));
        }
        match next {
            Next::Do(step) => self.perform(b, &step, ghost),
            Next::Done(exit) => self.ended(b, &goal, exit, ghost),
            Next::Fail(exit, _) => {
                while let Some(step) = undo(&self.facts(b, ghost)) {
                    self.perform(b, &step, ghost)?;
                }
                self.ended(b, &goal, exit, ghost)
            }
            Next::Wait(_) => Ok(()),
        }
    }

    pub(crate) fn perform(&mut self, b: usize, step: &Step, ghost: bool) -> Result<(), String> {
        let unclean = self.unclean(b);
        let waits = self.flaw != Some(Flaw::DemoteDoesNotWait);
        let n = self.boxes.len();
        let index = |name: &String| name[1..].parse::<usize>().unwrap();
        let m = &mut self.boxes[b];
        match step {
            Step::Block(_) => m.blocks += 1,
            Step::Unblock(_) => m.blocks = m.blocks.saturating_sub(1),
            Step::Activate(_) => {
                if !m.primary || m.disk != Disk::UpToDate {
                    // Opening a Secondary fails; a box whose data is old must never be opened.
                    return Err(format!("n{b} opens a device that is {:?}, primary {}", m.disk, m.primary));
                }
                if let Some(u) = unclean.first() {
                    return Err(format!("n{b} promotes while n{u} is unclean"));
                }
                if m.must_be_closed {
                    return Err(format!("n{b} opens what a demote said is closed (ghost: {ghost})"));
                }
                m.open = true;
                m.closing = 0;
            }
            Step::Deactivate(_) => {
                if m.inflight > 0 {
                    return Err(format!("n{b} closes the device under {} commands", m.inflight));
                }
                if waits {
                    m.open = false;
                } else {
                    m.closing = 8;
                }
            }
            Step::SetState { group, state } => {
                let g = index(group);
                if g == b {
                    m.local.clone_from(state);
                } else {
                    let at = (0..n).filter(|i| *i != b).position(|i| i == g).unwrap();
                    m.remotes[at].clone_from(state);
                }
            }
            Step::Enable(_) => m.enabled = true,
            Step::SetSize { .. } => {}
            Step::TouchPeer(group) => {
                return Err(format!("n{b} changes the ports of {group} on that box"));
            }
        }
        Ok(())
    }

    pub(crate) fn ended(&mut self, b: usize, goal: &Goal, exit: OcfExit, ghost: bool) -> Result<(), String> {
        let params = self.params(b);
        let facts = self.facts(b, ghost);
        let m = &mut self.boxes[b];
        if ghost {
            m.ghost = None;
        } else {
            m.action = None;
        }
        if m.blocks > 0 && m.ghost.is_none() {
            return Err(format!("{goal:?} ended and leaves the device blocked"));
        }
        if exit != OcfExit::Success {
            return Ok(());
        }
        match goal {
            Goal::Demote | Goal::Stop => {
                if m.open {
                    return Err(format!("{goal:?} said it is done with the device open"));
                }
                // Unless a promotion was asked for meanwhile, which waits for the end of this.
                m.must_be_closed = !m.action.as_ref().is_some_and(|a| a.goal == Goal::Promote);
                m.recorded = if *goal == Goal::Stop { Stand::Stopped } else { Stand::Unpromoted };
            }
            Goal::Promote => {
                m.recorded = Stand::Promoted;
                if let Some(r) =
                    m.remotes.iter().find(|r| *r == "active" || *r == "nonoptimized" || *r == "transitioning")
                {
                    return Err(format!("promoted with another box's ports {r}"));
                }
                if stand(&facts, &params) != Stand::Promoted {
                    return Err(format!("promoted, but {:?}", stand(&facts, &params)));
                }
            }
            Goal::Start if m.open => {}
            Goal::Start => m.recorded = Stand::Unpromoted,
            _ => {}
        }
        Ok(())
    }

    pub(crate) fn monitor(&mut self, b: usize) -> Result<(), String> {
        let m = &self.boxes[b];
        if !m.alive || m.action.is_some() || m.ghost.is_some() {
            return Ok(());
        }
        let (facts, params) = (self.facts(b, false), self.params(b));
        let said = match next_with(&Goal::Monitor, &facts, &params, self.flaw) {
            Next::Do(step) => return Err(format!("monitor does {step:?}")),
            Next::Wait(_) => return Err("monitor waits".to_owned()),
            Next::Done(exit) | Next::Fail(exit, _) => exit,
        };
        let said = match (self.flaw, &m.recorded) {
            (Some(Flaw::RoleFromRecord), Stand::Promoted) => OcfExit::RunningPromoted,
            (Some(Flaw::RoleFromRecord), Stand::Unpromoted) => OcfExit::Success,
            _ => said,
        };
        let serves = m.open && m.blocks == 0 && m.local == "active";
        let rests = !m.open
            && m.blocks == 0
            && !["active", "nonoptimized", "transitioning"].contains(&m.local.as_str());
        match said {
            OcfExit::RunningPromoted if !serves => {
                Err("monitor says promoted, and it does not serve".to_owned())
            }
            OcfExit::Success | OcfExit::NotRunning if !rests => {
                Err(format!("monitor says {said:?}, and something is open or served"))
            }
            _ => Ok(()),
        }
    }

    pub(crate) fn lose(&mut self, b: usize) {
        let m = &mut self.boxes[b];
        (m.alive, m.open, m.closing, m.blocks, m.inflight, m.primary, m.enabled) =
            (false, false, 0, 0, 0, false, false);
        (m.action, m.ghost, m.must_be_closed) = (None, None, false);
        m.local = "standby".to_owned();
        m.recorded = Stand::Unpromoted;
        m.remotes.iter_mut().for_each(|r| *r = "standby".to_owned());
    }

    pub(crate) fn apply(&mut self, event: &Event) -> Result<(), String> {
        let n = self.boxes.len();
        let at = |b: &usize| b % n;
        match event {
            Event::Run(b, want) => {
                let b = at(b);
                self.begin(b, *want);
                for _ in 0..70 {
                    self.tick(b, false)?;
                    self.check()?;
                }
            }
            Event::Begin(b, want) => self.begin(at(b), *want),
            Event::Tick(b) => self.tick(at(b), false)?,
            Event::Ghost(b) => self.tick(at(b), true)?,
            Event::KillAgent(b) => self.boxes[at(b)].action = None,
            Event::GiveUp(b) => {
                let m = &mut self.boxes[at(b)];
                if m.ghost.is_none() {
                    m.ghost = m.action.take();
                }
            }
            Event::PowerCut(b) => self.lose(at(b)),
            Event::Boot(b) => {
                let b = at(b);
                if !self.boxes[b].alive {
                    self.boxes[b].alive = true;
                    // Whoever saw it off sees it come back, or not.
                    (0..n).for_each(|a| self.clean[a][b] = false);
                    if self.boxes[b].generation < self.newest {
                        self.boxes[b].disk = Disk::Outdated;
                    }
                }
            }
            Event::Cut(a, b) => {
                (self.cut[at(a)][at(b)], self.cut[at(b)][at(a)]) = (at(a) != at(b), at(a) != at(b));
            }
            Event::Heal(a, b) => (self.cut[at(a)][at(b)], self.cut[at(b)][at(a)]) = (false, false),
            Event::Fence(a, b, works) => {
                let (a, b) = (at(a), at(b));
                if self.boxes[a].alive && self.quorum(a) && self.unclean(a).contains(&b) && *works {
                    self.lose(b);
                    (0..n)
                        .filter(|x| *x == a || self.reaches(a, *x))
                        .collect::<Vec<_>>()
                        .into_iter()
                        .for_each(|x| self.clean[x][b] = true);
                }
            }
            Event::DrbdPromote(b) => {
                let b = at(b);
                let peer = (0..n).any(|c| c != b && self.reaches(b, c) && self.boxes[c].primary);
                let waits = self.drbd_fences && !self.unclean(b).is_empty();
                let m = &mut self.boxes[b];
                // DRBD itself promotes what is UpToDate; by force, also what is not.
                if m.alive && !peer && !waits && (m.disk == Disk::UpToDate || !self.drbd_fences) {
                    m.primary = true;
                    for c in (0..n).filter(|c| *c != b) {
                        if self.boxes[c].primary && !self.reaches(b, c) {
                            (self.split[b][c], self.split[c][b]) = (true, true);
                        }
                    }
                }
            }
            Event::DrbdDemote(b) => {
                let m = &mut self.boxes[at(b)];
                if m.primary && m.must_be_closed && m.open && m.action.is_none() {
                    return Err("DRBD cannot be demoted after a demote that said it is done".to_owned());
                }
                if !m.open {
                    m.primary = false;
                }
            }
            Event::Resync(b) => {
                let b = at(b);
                let from =
                    (0..n).any(|c| c != b && self.reaches(b, c) && self.boxes[c].generation == self.newest);
                if from && self.boxes[b].alive {
                    (self.boxes[b].disk, self.boxes[b].generation) = (Disk::UpToDate, self.newest);
                    if !self.boxes[b].primary {
                        (0..n).for_each(|c| (self.split[b][c], self.split[c][b]) = (false, false));
                    }
                }
            }
            Event::DiskFails(b) => self.boxes[at(b)].disk = Disk::Inconsistent,
            Event::Io(b) => {
                let b = at(b);
                let m = &mut self.boxes[b];
                if m.alive && m.open && m.blocks == 0 && m.local == "active" && m.enabled {
                    m.inflight = (m.inflight + 1).min(3);
                    self.newest += 1;
                    let newest = self.newest;
                    (0..n)
                        .filter(|c| *c == b || (self.reaches(b, *c) && self.boxes[*c].disk == Disk::UpToDate))
                        .collect::<Vec<_>>()
                        .into_iter()
                        .for_each(|c| self.boxes[c].generation = newest);
                    for c in 0..n {
                        if c != b && self.boxes[c].alive && !self.reaches(b, c) && self.clean[b][c] {
                            self.boxes[c].disk = Disk::Outdated;
                        }
                    }
                }
            }
            Event::IoEnds(b) => {
                let m = &mut self.boxes[at(b)];
                m.inflight = m.inflight.saturating_sub(1);
            }
            Event::Reload(b) => {
                // SCST was reloaded: closed, and the ports as the file says.
                let m = &mut self.boxes[at(b)];
                (m.open, m.closing, m.blocks, m.inflight, m.enabled) = (false, 0, 0, 0, false);
                m.local = "standby".to_owned();
            }
            Event::Monitor(b) => self.monitor(at(b))?,
            Event::Told(b, about, active) => {
                let (b, about) = (at(b), at(about));
                if self.boxes[b].alive && b != about {
                    let state = if *active { "active" } else { "standby" }.to_owned();
                    let goal = Goal::Remote { node: format!("n{about}"), state };
                    let (facts, params) = (self.facts(b, false), self.params(b));
                    if let Next::Do(step) = next_with(&goal, &facts, &params, self.flaw) {
                        self.perform(b, &step, false)?;
                    }
                }
            }
        }
        self.check()
    }

    /// What must never be.
    pub(crate) fn check(&self) -> Result<(), String> {
        let serving: Vec<usize> = (0..self.boxes.len())
            .filter(|b| self.boxes[*b].alive && self.boxes[*b].open && self.boxes[*b].local == "active")
            .collect();
        if serving.len() > 1 {
            return Err(format!("{serving:?} have active ports and an open device at once"));
        }
        for (i, m) in self.boxes.iter().enumerate().filter(|(_, m)| m.alive) {
            if ["active", "nonoptimized"].contains(&m.local.as_str()) && !m.open {
                return Err(format!("the ports of n{i} serve a device that is closed"));
            }
        }
        Ok(())
    }
}
