//! Small worlds, and the search against trying everything.
use super::super::package::tests::paragraph;
use super::super::package::{Pool, parse_index};
use super::super::relation;
use super::*;
use proptest::prelude::*;

fn wish(seeds: &str) -> Wish {
    Wish {
        seeds: relation::parse("seeds", seeds).unwrap(),
        base: Base::None,
        architecture: "amd64".to_owned(),
        ..Wish::default()
    }
}

/// `a 1; Depends: b | c` and so on, one package a line.
fn index(lines: &str) -> String {
    let one = |line: &str| {
        let mut parts = line.trim().split(';');
        let (name, version) = parts.next().unwrap().trim().split_once(' ').unwrap();
        paragraph(name, version, &parts.map(|f| format!("{}\n", f.trim())).collect::<String>())
    };
    lines.lines().filter(|l| !l.trim().is_empty()).map(one).collect()
}

fn solve(lines: &str, wish: &Wish) -> Result<Vec<String>, String> {
    let text = index(lines);
    let universe = Universe::new(parse_index("P", &text, "amd64", Pool::Main, "main").unwrap()).unwrap();
    let set = resolve(&universe, wish).map_err(|e| e.to_string())?;
    let violations = check(&universe, wish, set.iter().map(|s| s.package)).unwrap();
    assert_eq!(violations, [], "{set:?}");
    Ok(set.iter().map(|s| universe.package(s.package).unwrap().to_string()).collect())
}

#[track_caller]
fn chosen(lines: &str, wish: &Wish, expected: &[&str]) {
    assert_eq!(solve(lines, wish).unwrap(), expected);
}

#[test]
fn the_first_alternative_and_the_best_version() {
    chosen(
        "a 1; Depends: x | y, v\n y 1\n x 1\n x 2\n p 1; Provides: v\n",
        &wish("a"),
        &["a 1", "p 1", "x 2"],
    );
    // What something else needs anyway settles an alternative.
    chosen("a 1; Depends: x | y\n b 1; Depends: y\n x 1\n y 1\n", &wish("a, b"), &["a 1", "b 1", "y 1"]);
    chosen("a 1; Depends: x [i386] | y\n x 1\n y 1\n", &wish("a"), &["a 1", "y 1"]);
    chosen("a 1; Depends: x:any (<< 2)\n x 1\n x 2\n", &wish("a"), &["a 1", "x 1"]);
}

#[test]
fn virtual_packages() {
    let world = "q 1; Provides: mta\n p 1; Provides: mta; Priority: important\n v 1; Provides: lib (= 2)\n mta2 1; Provides: mta (= 3)\n";
    chosen(world, &wish("mta"), &["p 1"]);
    chosen(world, &wish("mta (>= 2)"), &["mta2 1"]);
    chosen(world, &wish("lib (>= 2), lib (<< 3)"), &["v 1"]);
    let mut preferred = wish("mta");
    preferred.preferred = vec!["q".to_owned()];
    chosen(world, &preferred, &["q 1"]);
}

#[test]
fn conflicts_lead_to_another_choice() {
    chosen("a 1; Depends: x | y\n b 1; Conflicts: x\n x 1\n y 1\n", &wish("a, b"), &["a 1", "b 1", "y 1"]);
    // The failure shows late, and an older version helps.
    chosen(
        "a 2; Depends: n\n a 1\n n 1; Depends: m\n m 1; Breaks: z (<< 2)\n z 1\n",
        &wish("a, z"),
        &["a 1", "z 1"],
    );
    // A virtual package excludes the others that provide it, not itself.
    let mta = "e 1; Provides: mta; Conflicts: mta\n m 1; Provides: mta; Conflicts: mta\n";
    chosen(mta, &wish("e"), &["e 1"]);
    assert!(solve(mta, &wish("e, m")).is_err());
}

#[test]
fn the_base_and_what_is_assumed() {
    let world = "sh 1; Essential: yes; Depends: lib\n lib 1\n init 1; Essential: yes\n tz 1; Priority: required\n a 1; Depends: init (>= 9)\n";
    let mut w = wish("a");
    w.base = Base::Essential;
    w.assumed.insert("init".to_owned());
    chosen(world, &w, &["a 1", "lib 1", "sh 1"]);
    w.base = Base::Required;
    chosen(world, &w, &["a 1", "lib 1", "sh 1", "tz 1"]);
}

#[test]
fn the_explanation_names_the_chain_and_every_candidate() {
    let world = "crmsh 4; Depends: pacemaker (>= 2)\n pacemaker 2.1; Depends: libqb\n pacemaker 1.9\n";
    let expected = "\
no set of packages satisfies the request
  the request needs crmsh
    crmsh 4 needs pacemaker (>= 2)
      pacemaker 2.1 needs libqb
        libqb: there is no such package
";
    assert_eq!(solve(world, &wish("crmsh")).unwrap_err(), expected);
    let world = "a 1; Depends: x | y (>= 3)\n b 1; Depends: c\n c 1; Conflicts: x\n x 1\n y 2\n";
    let expected = "\
no set of packages satisfies the request
  the request needs b
    b 1 needs c
      c 1: has Conflicts: x, and x 1 is in the set (a 1 needs x | y (>= 3))
no other choice helps
  the request needs a
    a 1: cannot be installed:
      the request needs b
        b 1: cannot be installed:
          the request needs a
            a 1 needs x | y (>= 3)
              y (>= 3): only 2 can be had
              x 1: cannot be installed:
              the request needs b
                b 1 needs c
                  c 1: has Conflicts: x, and x 1 is in the set (a 1 needs x | y (>= 3))
";
    assert_eq!(solve(world, &wish("a, b")).unwrap_err(), expected);
}

#[test]
fn a_hopeless_pair_among_many_choices_is_found_soon() {
    // Thirty choices of two lie between the two that exclude each other; a search that undoes the last
    // choice first would need 2^30 steps.
    let mut world =
        String::from("a 1\n z 1; Conflicts: a | none\n y 1; Depends: z | z2\n z2 1; Conflicts: a\n");
    let mut seeds = String::from("a");
    for n in 0..30 {
        world.push_str(&format!("l{n} 1\n r{n} 1\n"));
        seeds.push_str(&format!(", l{n} | r{n}"));
    }
    seeds.push_str(", y");
    let error = solve(&world, &wish(&seeds)).unwrap_err();
    assert!(error.contains("z2 1: has Conflicts: a, and a 1 is in the set"), "{error}");
}

/// One line of a world: name n, version v, relations over the same few names.
fn package(names: usize) -> impl Strategy<Value = String> {
    let name = move || (0..names + 1).prop_map(|n| char::from(b'a' + u8::try_from(n).unwrap()).to_string());
    let atom = move || {
        (name(), prop::option::of((prop::sample::select(vec!["<<", ">=", "="]), 1..3u8))).prop_map(
            |(name, version)| match version {
                Some((op, v)) => format!("{name} ({op} {v})"),
                None => name,
            },
        )
    };
    let depends =
        prop::collection::vec(prop::collection::vec(atom(), 1..3).prop_map(|a| a.join(" | ")), 0..3);
    let conflicts = prop::collection::vec(atom(), 0..2);
    let provides = prop::option::weighted(0.3, (name(), prop::option::of(1..3u8)));
    (depends, conflicts, provides).prop_map(|(depends, conflicts, provides)| {
        let mut line = String::new();
        if !depends.is_empty() {
            line.push_str(&format!("; Depends: {}", depends.join(", ")));
        }
        if !conflicts.is_empty() {
            line.push_str(&format!("; Conflicts: {}", conflicts.join(", ")));
        }
        match provides {
            Some((name, Some(v))) => line.push_str(&format!("; Provides: {name} (= {v})")),
            Some((name, None)) => line.push_str(&format!("; Provides: {name}")),
            None => {}
        }
        line
    })
}

const NAMES: usize = 4;

fn world() -> impl Strategy<Value = String> {
    prop::collection::vec(prop::option::weighted(0.8, package(NAMES)), NAMES * 2).prop_map(|lines| {
        let named = lines.iter().enumerate().filter_map(|(n, line)| {
            let name = char::from(b'a' + u8::try_from(n / 2).unwrap());
            line.as_ref().map(|l| format!("{name} {}{l}\n", n % 2 + 1))
        });
        named.collect()
    })
}

/// Whether any set at all holds together.
fn possible(universe: &Universe<'_>, wish: &Wish) -> bool {
    (0..3usize.pow(u32::try_from(NAMES).unwrap())).any(|mut code| {
        let mut set = Vec::new();
        for n in 0..NAMES {
            let name = char::from(b'a' + u8::try_from(n).unwrap()).to_string();
            if let Some(nth) = (code % 3).checked_sub(1) {
                set.extend(universe.named(&name).get(nth));
            }
            code /= 3;
        }
        check(universe, wish, set).unwrap().is_empty()
    })
}

proptest! {
    #[test]
    fn a_set_is_found_exactly_where_there_is_one(world in world(), seeds in "[a-d](, [a-d]){0,1}") {
        let text = index(&world);
        let universe = Universe::new(parse_index("P", &text, "amd64", Pool::Main, "main").unwrap()).unwrap();
        let wish = wish(&seeds);
        match resolve(&universe, &wish) {
            Ok(set) => {
                let wrong = check(&universe, &wish, set.iter().map(|s| s.package)).unwrap();
                prop_assert!(wrong.is_empty(), "{:?}", wrong);
                prop_assert_eq!(resolve(&universe, &wish).unwrap(), set);
            }
            Err(why @ ResolveError::Impossible { .. }) => {
                prop_assert!(!possible(&universe, &wish), "missed a set; said\n{}", why);
                prop_assert!(why.to_string().lines().count() > 1);
            }
            Err(other) => prop_assert!(false, "{other}"),
        }
    }
}
