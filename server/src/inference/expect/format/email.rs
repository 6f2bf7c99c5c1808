//! E-mail addresses as they are in use: a dot-atom, `@` and a domain name with a dot (RFC 5321, 4.1.2, with the
//! lengths of 4.5.3.1; RFC 5322, 3.4.1). Quoted names, comments and addresses of hosts by number are not taken.

use super::{Flaw, Form};

pub(super) fn email(text: &str) -> Result<Form, Flaw> {
    let (name, domain) = text.rsplit_once('@').ok_or(Flaw::Shape)?;
    if text.len() > 254 || name.len() > 64 || !is_name(name) || !is_domain(domain) {
        return Err(Flaw::Shape);
    }
    let has_capitals = domain.bytes().any(|byte| byte.is_ascii_uppercase());
    Ok(if has_capitals { Form::Variant } else { Form::Normal })
}

/// Without outer spaces, and the domain, where case means nothing, in small letters.
pub(super) fn normal(text: &str) -> Option<String> {
    let (name, domain) = text.trim().rsplit_once('@')?;
    Some(format!("{name}@{}", domain.to_ascii_lowercase()))
}

fn is_name(name: &str) -> bool {
    let is_atom = |letter: char| {
        letter.is_alphanumeric() || (letter.is_ascii_punctuation() && "!#$%&'*+-/=?^_`{|}~".contains(letter))
    };
    name.split('.').all(|atom| !atom.is_empty() && atom.chars().all(is_atom))
}

fn is_domain(domain: &str) -> bool {
    let is_label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    let Some((_, top)) = domain.rsplit_once('.') else { return false };
    top.len() >= 2 && top.bytes().any(|byte| byte.is_ascii_alphabetic()) && domain.split('.').all(is_label)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses() {
        for good in [
            "a@b.ec",
            "ana.perez+ventas@correo.com.ec",
            "o'neil@x-y.org",
            "josé@ejemplo.ec",
            "a@xn--espaa-rta.es",
        ] {
            assert_eq!(email(good), Ok(Form::Normal), "{good}");
        }
        assert_eq!(email("Ana@Correo.EC"), Ok(Form::Variant));
        assert_eq!(normal(" Ana@Correo.EC ").as_deref(), Some("Ana@correo.ec"));
        let long = format!("{}@b.ec", "a".repeat(65));
        for wrong in [
            "",
            "@",
            "a@",
            "@b.ec",
            "a@b",
            "a b@c.ec",
            "a@@b.ec",
            "a..b@c.ec",
            ".a@c.ec",
            "a@-b.ec",
            "a@b..ec",
            "a@b.e",
            "a@1.2.3.44",
            "a@b.ec,c@d.ec",
            "<a@b.ec>",
            long.as_str(),
        ] {
            assert_eq!(email(wrong), Err(Flaw::Shape), "{wrong}");
        }
    }
}
