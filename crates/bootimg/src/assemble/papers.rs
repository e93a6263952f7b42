//! What tells people and programs what is in an image: sizes, SBOM, sums.
use std::collections::BTreeMap;
use std::fmt::Write as _;

use esos_fetch::Sha256;
use esos_layout::frames::Index;
use serde_json::{Value, json};

use super::Binary;
use crate::archive::{Chosen, UnixTime};

/// Everything that the lists are made from.
#[derive(Debug)]
pub struct Papers<'a> {
    /// The version of the image.
    pub version: &'a str,
    /// The suite of its packages.
    pub suite: &'a str,
    /// Its source date.
    pub epoch: i64,
    /// The packages of the root.
    pub packages: Vec<&'a Chosen>,
    /// Programs of ours.
    pub binaries: &'a [Binary],
    /// The index of the root image.
    pub index: &'a Index,
}

/// One line of the manifest of sizes.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct SizeRow {
    /// The package, or what the frame is called.
    pub name: String,
    /// Its version; empty for what is no package.
    pub version: String,
    /// Bytes in the tar.
    pub installed_bytes: u64,
    /// Bytes in the root image.
    pub packed_bytes: u64,
}

impl Papers<'_> {
    /// A row per package and other frame, the largest first.
    #[must_use]
    pub fn sizes(&self) -> Vec<SizeRow> {
        let versions: BTreeMap<&str, String> =
            self.packages.iter().map(|p| (p.name.as_str(), p.version.to_string())).collect();
        let mut rows: BTreeMap<&str, SizeRow> = BTreeMap::new();
        for frame in &self.index.frames {
            // Further frames of a package are called `name+k`; `+` is legal in names, a known name wins.
            let whole = frame.name.as_str();
            let name = match whole.rsplit_once('+') {
                Some((name, _)) if !versions.contains_key(whole) && versions.contains_key(name) => name,
                _ => whole,
            };
            let row = rows.entry(name).or_insert_with(|| SizeRow {
                name: name.to_owned(),
                version: versions.get(name).cloned().unwrap_or_default(),
                installed_bytes: 0,
                packed_bytes: 0,
            });
            row.installed_bytes = row.installed_bytes.saturating_add(frame.unpacked);
            row.packed_bytes = row.packed_bytes.saturating_add(frame.packed);
        }
        let mut rows: Vec<SizeRow> = rows.into_values().collect();
        rows.sort_by(|a, b| (b.packed_bytes, &a.name).cmp(&(a.packed_bytes, &b.name)));
        rows
    }

    /// `manifest.txt`: the sizes for people.
    #[must_use]
    pub fn manifest(&self) -> String {
        let mut out = String::new();
        let _infallible = writeln!(
            out,
            "ESOS {} of Debian {}, source date {}: {} packages\n\n{:>12} {:>12}  package",
            self.version,
            self.suite,
            UnixTime::new(self.epoch),
            self.packages.len(),
            "unpacked",
            "packed"
        );
        for row in self.sizes() {
            let _infallible = writeln!(
                out,
                "{:>12} {:>12}  {} {}",
                row.installed_bytes, row.packed_bytes, row.name, row.version
            );
        }
        let _infallible =
            writeln!(out, "{:>12} {:>12}  in all (bytes)", self.index.unpacked(), self.index.packed());
        // A row without a version ends in a blank otherwise.
        out.lines().flat_map(|line| [line.trim_end(), "\n"]).collect()
    }

    /// `sbom.json`: CycloneDX 1.6, its serial number made from the content.
    #[must_use]
    pub fn sbom(&self) -> String {
        let hash = |sha256: &Sha256| json!([{ "alg": "SHA-256", "content": sha256.to_string() }]);
        let mut components: Vec<Value> = Vec::new();
        for package in &self.packages {
            let version = package.version.to_string();
            let purl = format!(
                "pkg:deb/debian/{}@{}?arch={}&distro={}",
                encoded(&package.name),
                encoded(&version),
                package.architecture,
                self.suite
            );
            components.push(json!({
                "type": "library",
                "bom-ref": purl,
                "name": package.name,
                "version": version,
                "purl": purl,
                "hashes": hash(&package.sha256),
                "properties": [{ "name": "esos:component", "value": package.component }],
            }));
        }
        for binary in self.binaries {
            components.push(json!({
                "type": "application",
                "bom-ref": format!("esos:{}", binary.name),
                "name": binary.name,
                "version": self.version,
                "hashes": hash(&Sha256::of(&binary.bytes)),
            }));
        }
        let date = UnixTime::new(self.epoch).to_string().replacen(' ', "T", 1).replace(" UTC", "Z");
        let mut document = json!({
            "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
            "bomFormat": "CycloneDX",
            "specVersion": "1.6",
            "version": 1,
            "metadata": {
                "timestamp": date,
                "component": {
                    "type": "operating-system",
                    "bom-ref": "esos",
                    "name": "ESOS",
                    "version": self.version,
                },
            },
            "components": components,
        });
        let content = Sha256::of(document.to_string().as_bytes());
        if let Some(map) = document.as_object_mut() {
            map.insert("serialNumber".to_owned(), Value::String(urn(content.bytes())));
        }
        // Keys come out sorted, whatever the order above.
        format!("{document:#}\n")
    }
}

/// A UUID of version 8 (RFC 9562: made by the application's own rule) out of a hash.
fn urn(hash: &[u8; 32]) -> String {
    let mut id = [0; 16];
    id.iter_mut().zip(hash).for_each(|(to, from)| *to = *from);
    if let Some(byte) = id.get_mut(6) {
        *byte = (*byte & 0x0f) | 0x80;
    }
    if let Some(byte) = id.get_mut(8) {
        *byte = (*byte & 0x3f) | 0x80;
    }
    let hex: String = id.iter().map(|b| format!("{b:02x}")).collect();
    let part = |range: std::ops::Range<usize>| hex.get(range).unwrap_or_default();
    format!("urn:uuid:{}-{}-{}-{}-{}", part(0..8), part(8..12), part(12..16), part(16..20), part(20..32))
}

/// Percent-encoded for a package URL.
fn encoded(text: &str) -> String {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"-._~".contains(&b);
    text.bytes().map(|b| if plain(b) { char::from(b).to_string() } else { format!("%{b:02X}") }).collect()
}

/// `SHA256SUMS`: lines as sha256sum prints them, by name.
pub(super) fn sums(products: &BTreeMap<String, Sha256>) -> String {
    products.iter().map(|(name, sha256)| format!("{sha256}  {name}\n")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use esos_layout::frames::Frame;

    fn chosen(name: &str, version: &str) -> Chosen {
        Chosen {
            name: name.to_owned(),
            version: version.parse().unwrap(),
            architecture: "amd64".to_owned(),
            sha256: Sha256::of(name.as_bytes()),
            size: 1,
            component: "main".to_owned(),
            deb: "x.deb".into(),
            because: String::new(),
        }
    }

    fn frame(name: &str, packed: u64) -> Frame {
        Frame { packed, unpacked: packed * 3, entries: 1, sha256: [0; 32], name: name.to_owned() }
    }

    #[test]
    fn lists_are_whole_and_the_same_each_time() {
        let packages = [chosen("libstdc++6", "14.2.0-19"), chosen("bash", "5.2.37-2+b5")];
        let index = Index {
            frames: vec![frame("bash", 7), frame("bash+1", 5), frame("libstdc++6", 50), frame("<esos>", 1)],
        };
        let binaries = [Binary { name: "esos".into(), bytes: b"x".to_vec() }];
        let papers = Papers {
            version: "1.0",
            suite: "trixie",
            epoch: 1_754_728_217,
            packages: packages.iter().collect(),
            binaries: &binaries,
            index: &index,
        };
        let rows = papers.sizes();
        let names: Vec<(&str, u64)> = rows.iter().map(|r| (r.name.as_str(), r.packed_bytes)).collect();
        assert_eq!(names, [("libstdc++6", 50), ("bash", 12), ("<esos>", 1)]);
        assert!(
            papers.manifest().ends_with("         189           63  in all (bytes)\n"),
            "{}",
            papers.manifest()
        );

        let sbom: Value = serde_json::from_str(&papers.sbom()).unwrap();
        assert_eq!(papers.sbom(), papers.sbom());
        assert_eq!(sbom["components"].as_array().unwrap().len(), 3);
        assert_eq!(
            sbom["components"][0]["purl"],
            "pkg:deb/debian/libstdc%2B%2B6@14.2.0-19?arch=amd64&distro=trixie"
        );
        assert_eq!(sbom["metadata"]["timestamp"], "2025-08-09T08:30:17Z");
        let serial = sbom["serialNumber"].as_str().unwrap();
        assert_eq!((serial.len(), serial.as_bytes()[23]), (45, b'8'), "{serial}");
    }
}
