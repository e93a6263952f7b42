//! Mails on disk until somebody took them.
use crate::Mail;
use crate::store::{self, DIR, StoreError};
use esos_hostfs::Files;

/// Whoever can take a mail: `sendmail`, an SMTP server.
pub trait Deliver {
    /// Hands a mail over.
    ///
    /// # Errors
    /// It was not taken; it stays in the queue.
    fn deliver(&self, mail: &Mail) -> Result<(), Refusal>;
}

/// A mail was not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Refusal(
    /// Why, with the answer of the program or server; without any secret.
    pub String,
);

/// What a run through the queue did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Delivered {
    /// Subjects of the mails that were taken.
    pub sent: Vec<String>,
    /// Subjects of those that were not, with the reason.
    pub failed: Vec<(String, String)>,
    /// How many wait for their next try.
    pub waiting: usize,
    /// Subjects of those that were set aside after [`Queue::GIVE_UP_S`]; they lie in `failed/`.
    pub given_up: Vec<String>,
}

/// Mails on disk until somebody took them: one file for each, written whole before it counts. A mail that is not
/// taken is tried again after a minute, then after twice as long each time, at most an hour. A whole mail is
/// never deleted before it was taken; after [`Queue::GIVE_UP_S`] it is set aside in `failed/`.
pub struct Queue<'f> {
    files: &'f dyn Files,
}

impl<'f> Queue<'f> {
    /// For so long delivery is tried, in seconds: five days.
    pub const GIVE_UP_S: u64 = 5 * 86_400;

    /// The queue below the root of these files.
    #[must_use]
    pub fn new(files: &'f dyn Files) -> Self {
        Self { files }
    }

    fn path(mail: &Mail) -> String {
        format!("{DIR}/queue/{}.json", mail.key)
    }

    /// Adds a mail; one that is there already stays as it is.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn put(&self, mail: &Mail) -> Result<(), StoreError> {
        let path = Self::path(mail);
        if self.files.stat(&path).is_ok() {
            return Ok(());
        }
        store::save(self.files, &path, mail)
    }

    /// All mails that wait, oldest first.
    ///
    /// # Errors
    /// The queue cannot be read, or a file in it makes no sense.
    pub fn mails(&self) -> Result<Vec<Mail>, StoreError> {
        self.read("queue")
    }

    /// Mails that were given up, oldest first.
    ///
    /// # Errors
    /// They cannot be read, or a file makes no sense.
    pub fn given_up(&self) -> Result<Vec<Mail>, StoreError> {
        self.read("failed")
    }

    fn read(&self, sub: &str) -> Result<Vec<Mail>, StoreError> {
        let dir = format!("{DIR}/{sub}");
        let mut mails: Vec<Mail> = Vec::new();
        for name in store::documents(self.files, &dir)? {
            mails.extend(store::load::<Mail>(self.files, &format!("{dir}/{name}"))?);
        }
        mails.sort_by(|a, b| (a.made, &a.key).cmp(&(b.made, &b.key)));
        Ok(mails)
    }

    /// Tries to deliver what is due; with `all`, everything.
    ///
    /// # Errors
    /// The queue cannot be read or written. What was delivered before stays delivered.
    pub fn run(&self, now: u64, all: bool, deliver: &dyn Deliver) -> Result<Delivered, StoreError> {
        let mut done = Delivered::default();
        for mut mail in self.mails()? {
            // A clock that was set back must not hold a mail for ever.
            let due = mail.next <= now || mail.next > now.saturating_add(3600);
            if !all && !due {
                done.waiting = done.waiting.saturating_add(1);
                continue;
            }
            let Err(refusal) = deliver.deliver(&mail) else {
                self.files.remove(&Self::path(&mail))?;
                done.sent.push(mail.subject);
                continue;
            };
            let pause = 60u64.checked_shl(mail.tries.min(6)).unwrap_or(3600).min(3600);
            mail.tries = mail.tries.saturating_add(1);
            mail.next = now.saturating_add(pause);
            mail.failed = Some(refusal.0.clone());
            if now.saturating_sub(mail.made) > Self::GIVE_UP_S {
                store::save(self.files, &format!("{DIR}/failed/{}.json", mail.key), &mail)?;
                self.files.remove(&Self::path(&mail))?;
                done.given_up.push(mail.subject.clone());
            } else {
                store::save(self.files, &Self::path(&mail), &mail)?;
                done.waiting = done.waiting.saturating_add(1);
            }
            done.failed.push((mail.subject, refusal.0));
        }
        Ok(done)
    }
}

impl std::fmt::Debug for Queue<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Queue")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Origin, test_mail};
    use esos_hostfs::MemFiles;
    use std::cell::RefCell;

    #[derive(Default)]
    struct Post(RefCell<Vec<Result<(), Refusal>>>, RefCell<Vec<String>>);
    impl Deliver for Post {
        fn deliver(&self, mail: &Mail) -> Result<(), Refusal> {
            self.1.borrow_mut().push(mail.key.clone());
            self.0.borrow_mut().pop().unwrap_or(Ok(()))
        }
    }

    fn mail(now: u64) -> Mail {
        test_mail(&Origin::new("esos1"), "e@b", &["a@b".to_owned()], now)
    }

    #[test]
    fn a_network_that_is_down_loses_nothing() {
        let files = MemFiles::new();
        let queue = Queue::new(&files);
        queue.put(&mail(100)).unwrap();
        queue.put(&mail(100)).unwrap();
        let down = |n| Post(vec![Err(Refusal("no route to host".into())); n].into(), RefCell::default());
        let post = down(4);
        let mut tried = Vec::new();
        for now in 100..1100 {
            let before = post.1.borrow().len();
            queue.run(now, false, &post).unwrap();
            if post.1.borrow().len() > before {
                tried.push(now - 100);
            }
        }
        assert_eq!(tried, [0, 60, 180, 420, 900]);
        assert!(queue.mails().unwrap().is_empty());
    }

    #[test]
    fn what_nobody_takes_is_set_aside_and_not_lost() {
        let files = MemFiles::new();
        let queue = Queue::new(&files);
        queue.put(&mail(0)).unwrap();
        let post = Post(vec![Err(Refusal("550 no".into())); 300].into(), RefCell::default());
        let mut now = 0;
        while queue.given_up().unwrap().is_empty() {
            now += 3600;
            queue.run(now, false, &post).unwrap();
        }
        assert!(now > Queue::GIVE_UP_S && now < Queue::GIVE_UP_S + 7200);
        assert_eq!(queue.given_up().unwrap()[0].failed.as_deref(), Some("550 no"));
        assert!(queue.mails().unwrap().is_empty());
    }
}
